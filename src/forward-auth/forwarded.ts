/** A request's headers by lower-case name; several of one name are joined by commas (RFC 9110 section 5.3). */
export type HeaderRecord = Readonly<Record<string, string | undefined>>;

/** The request that a proxy asks about, as the proxy tells it. */
export interface ForwardedRequest {
  readonly method: string;
  readonly secure: boolean;
  readonly host: string;
  /** Path and query as the client sent them (origin-form, RFC 9112 section 3.2.1). */
  readonly target: string;
}

/** Reads one proxy's headers and no other's; `undefined` when they are not all there and well-formed. */
export type Dialect = (headers: HeaderRecord) => ForwardedRequest | undefined;

/** Caddy and Traefik. Traefik says `wss` of a WebSocket over TLS, and `ws` of one without. */
export const readForwarded: Dialect = (headers) => {
  const method = headers['x-forwarded-method'];
  const scheme = headers['x-forwarded-proto'];
  const host = headers['x-forwarded-host'];
  const target = headers['x-forwarded-uri'];
  if (method === undefined || scheme === undefined || host === undefined || target === undefined)
    return undefined;
  const secure = scheme === 'https' || scheme === 'wss';
  if (!secure && scheme !== 'http' && scheme !== 'ws') return undefined;
  return { method, secure, host, target };
};

/** nginx: `X-Original-Method`, and scheme, host and target in `X-Original-URL`. */
export const readNginxForwarded: Dialect = (headers) => {
  const method = headers['x-original-method'];
  const url = headers['x-original-url'];
  if (method === undefined || url === undefined) return undefined;
  const secure = url.startsWith('https://');
  if (!secure && !url.startsWith('http://')) return undefined;
  const hostAt = secure ? 8 : 7;
  const targetAt = url.indexOf('/', hostAt);
  if (targetAt === -1) return undefined;
  return { method, secure, host: url.slice(hostAt, targetAt), target: url.slice(targetAt) };
};

/** The path of a target, without its query. */
export function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}
