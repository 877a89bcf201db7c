import { hasTokenPrefix } from '../sessions/token.ts';

const BEARER = /^bearer +([\w-]+)$/i;
/** The user and password of a client that knows no other way (RFC 7617 section 2), in either alphabet of base64. */
const BASIC = /\bbasic +([\w+/-]+)/gi;

/**
 * The token of an `Authorization` header that holds one of ours (RFC 6750 section 2.1); `undefined` for credentials that
 * are the app's own business, and empty where ours stands in any other form, so that it opens nothing.
 */
export function ownBearerToken(header: string | undefined): string | undefined {
  if (header === undefined || !holdsOurs(header)) return undefined;
  return BEARER.exec(header)?.[1] ?? '';
}

/** What of an `Authorization` header the app may see: all of it, or nothing where a credential of ours is in it. */
export function foreignAuthorization(header: string | undefined): string {
  return header === undefined || holdsOurs(header) ? '' : header;
}

function holdsOurs(header: string): boolean {
  const hidden = Array.from(header.matchAll(BASIC), ([, encoded = '']) => Buffer.from(encoded, 'base64'));
  return [header, ...hidden.map((bytes) => bytes.toString('latin1'))].some((text) =>
    text.split(/[^\w-]+/).some(hasTokenPrefix),
  );
}
