/** A public address of ours: scheme and host, nothing else. */
export interface PublicOrigin {
  /** As a browser sends it in `Origin` (RFC 6454 section 6.2). */
  readonly origin: string;
  /** Lower case, with its port unless that is the scheme's own. */
  readonly host: string;
  readonly secure: boolean;
  readonly port: number;
}

/**
 * Reads an origin as the operator wrote it; a closing slash is fine.
 * @throws TypeError for anything that is not an http or https URL of an origin alone.
 */
export function parseOrigin(url: string): PublicOrigin {
  const parsed = new URL(url);
  const secure = parsed.protocol === 'https:';
  if (!secure && parsed.protocol !== 'http:') throw new TypeError('an origin is http or https');
  const rest = parsed.pathname + parsed.search + parsed.hash;
  if (rest !== '/' || parsed.username !== '' || parsed.password !== '') {
    throw new TypeError('an origin has no user, path, query or fragment');
  }
  const port = parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port);
  return { origin: parsed.origin, host: parsed.host, secure, port };
}

/** The origin of a host that we serve under the same scheme. @throws TypeError when `host` is no host. */
export function hostOrigin(host: string, secure: boolean): PublicOrigin {
  return parseOrigin(`${secure ? 'https' : 'http'}://${host}`);
}
