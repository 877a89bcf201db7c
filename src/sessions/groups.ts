import { guestLinkAudience, guestLinkOf } from './audience.ts';
import type { Session } from './model.ts';

/** The sessions that came from one guest link. */
export const guestLinkGroup = (linkId: string): string => guestLinkAudience(linkId);

/** The sessions that came from one session at a provider (`sid`). */
export const providerSidGroup = (provider: string, sid: string): string =>
  `sid:${JSON.stringify([provider, sid])}`;

/** What a session can end by, other than its person and its parent. */
export function groupsOf({ audience, origin }: Pick<Session, 'audience' | 'origin'>): string[] {
  const { provider, providerSid } = origin;
  const linkId = guestLinkOf({ audience });
  return [
    ...(linkId === undefined ? [] : [guestLinkGroup(linkId)]),
    ...(provider === undefined || providerSid === undefined ? [] : [providerSidGroup(provider, providerSid)]),
  ];
}

/** Whether the session came from a guest link: its parent is then the session of a device. */
export const isGuest = (session: Pick<Session, 'audience'>): boolean => guestLinkOf(session) !== undefined;
