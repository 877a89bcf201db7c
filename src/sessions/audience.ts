import type { Audience } from './model.ts';

/** What a personal token may do at `/api/v1`. */
export const API_SCOPES = [
  'sessions:read',
  'sessions:write',
  'audit:read',
  'devices:read',
  'devices:write',
] as const;
export type ApiScope = (typeof API_SCOPES)[number];

/** The appliance's own pages and API, for a browser session. */
export const originAudience = (origin: string): Audience => `origin:${origin}` as Audience;

/** One protected host behind forward-auth. `host` is lower case, with its port unless that is the scheme's own. */
export const hostAudience = (host: string): Audience => `host:${host}` as Audience;

/** One scope of `/api/v1`, for a personal token. */
export const scopeAudience = (scope: ApiScope): Audience => `scope:${scope}` as Audience;

/** One protected resource (RFC 8707), for a grant. */
export const resourceAudience = (resource: string): Audience => `resource:${resource}` as Audience;

/**
 * What a paired device may ask for itself, below `/api/v1/device`. It names no origin: another `url` should not end devices
 * that nobody is beside, and what they sign names the host that it is for.
 */
export const DEVICE_AUDIENCE = 'device:/api/v1/device' as Audience;

/** Marks the session of a guest: the link that it came from, and ends with. */
export const guestLinkAudience = (linkId: string): Audience => `guest-link:${linkId}` as Audience;

/** The guest link that a session came from. */
export const guestLinkOf = ({ audience }: { readonly audience: readonly Audience[] }): string | undefined =>
  withoutPrefix(audience, 'guest-link:')[0];

/** One service of one device, for a personal token; whichever way it is reached. */
export const reachAudience = (deviceId: string, service: string): Audience =>
  `reach:${deviceId}/${service}` as Audience;

/** A service of a device that a token reaches. */
export interface ReachTarget {
  readonly deviceId: string;
  readonly service: string;
}

/** The services of devices among audiences. */
export const reachesOf = (audience: readonly Audience[]): ReachTarget[] =>
  withoutPrefix(audience, 'reach:').map((text) => {
    const [deviceId = '', service = ''] = text.split('/');
    return { deviceId, service };
  });

/** The hosts among audiences. */
export const hostsOf = (audience: readonly Audience[]): string[] => withoutPrefix(audience, 'host:');

/** The protected resources among audiences. */
export const resourcesOf = (audience: readonly Audience[]): string[] => withoutPrefix(audience, 'resource:');

/** The API scopes among audiences. */
export const scopesOf = (audience: readonly Audience[]): ApiScope[] =>
  withoutPrefix(audience, 'scope:').filter(isApiScope);

function withoutPrefix(audience: readonly Audience[], prefix: string): string[] {
  return audience.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
}

function isApiScope(text: string): text is ApiScope {
  return API_SCOPES.some((scope) => scope === text);
}
