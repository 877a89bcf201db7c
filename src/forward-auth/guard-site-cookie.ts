import { cookieValue } from '../http/cookies.ts';
import type { HeaderRecord } from './forwarded.ts';
import type { Site } from './guard-sites.ts';

export const MALFORMED = Symbol('malformed cookie');

/** The token in the cookie of this host; `undefined` where there is none, `MALFORMED` where it could be read in two ways. */
export function siteCookie(
  { cookie }: HeaderRecord,
  site: Pick<Site, 'cookie'>,
): string | undefined | typeof MALFORMED {
  if (cookie === undefined) return undefined;
  try {
    return cookieValue(cookie, site.cookie);
  } catch {
    return MALFORMED;
  }
}
