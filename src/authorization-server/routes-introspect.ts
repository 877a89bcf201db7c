import { timingSafeEqual } from 'node:crypto';
import { readForm } from '../http/form.ts';
import type { NativeRoutes } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { AppError } from '../lib/app-error.ts';
import { FORM_MAX_BYTES, INTROSPECT_PATH } from './constants.ts';
import type { introspection } from './introspection.ts';
import { answerHeaders, openEndpoint } from './routes-endpoint.ts';
import { get } from './routes-token.ts';
import { invalidClient } from './token-errors.ts';

export interface ResourceServer {
  readonly id: string;
  readonly secret: string;
  readonly backends: readonly string[];
}

export interface IntrospectRouteDeps {
  origin: PublicOrigin;
  servers: readonly ResourceServer[];
  introspect: ReturnType<typeof introspection>;
}

/** Introspection (RFC 7662) for resource servers of the configuration, who come with HTTP Basic. No page may read it. */
export function introspectRoute({ origin, servers, introspect }: IntrospectRouteDeps): NativeRoutes {
  const { 'access-control-allow-origin': _, ...headers } = answerHeaders(origin);
  const answer = async (request: Request): Promise<Response> => {
    const server = authenticate(request, servers);
    const token = get(await readForm(request, FORM_MAX_BYTES), 'token');
    if (token === undefined) throw new AppError('bad_request', 'invalid_request', 'token is missing');
    return new Response(JSON.stringify(introspect(token, server.backends)), { headers });
  };
  return { [INTROSPECT_PATH]: openEndpoint(['POST'], answer) };
}

/** `client_secret_basic` (RFC 6749 section 2.3.1). @throws AppError `unauthorized` (`invalid_client`). */
function authenticate({ headers }: Request, servers: readonly ResourceServer[]): ResourceServer {
  const [, encoded = ''] = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(headers.get('authorization') ?? '') ?? [];
  const [id = '', ...secret] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  const given = { id: decoded(id), secret: decoded(secret.join(':')) };
  const server = servers.find((each) => each.id === given.id);
  if (server === undefined || !isSame(server.secret, given.secret)) throw invalidClient();
  return server;
}

/** Both parts are form-encoded before they are joined; most clients leave that out. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

function isSame(one: string, other: string): boolean {
  const digest = (text: string) => Bun.SHA256.hash(text);
  return timingSafeEqual(digest(one), digest(other));
}
