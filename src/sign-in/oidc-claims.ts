import type { IdentityClaims } from '../users/model.ts';
import { parseEmail } from '../users/name.ts';

/** Claims as a provider sent them: of any type, and not to be believed. */
export type RawClaims = Readonly<Record<string, unknown>>;

export interface ClaimSources {
  readonly issuer: string;
  readonly provider: string;
  readonly groupsClaim: string;
  readonly idToken: RawClaims;
  /** From the UserInfo endpoint, when it was asked. */
  readonly userInfo?: RawClaims | undefined;
}

/** Longest subject, in characters (OpenID Connect Core section 2). */
const SUBJECT_MAX_LENGTH = 255;

/** Whether the UserInfo endpoint may know more: many providers keep the ID token small. */
export function lacksClaims(idToken: RawClaims, groupsClaim: string): boolean {
  return ['preferred_username', 'name', 'email', groupsClaim].some((name) => idToken[name] === undefined);
}

/**
 * Who the provider says this is; `undefined` without a usable subject.
 * The ID token speaks before the UserInfo endpoint.
 */
export function toIdentityClaims({
  issuer,
  provider,
  groupsClaim,
  idToken,
  userInfo = {},
}: ClaimSources): IdentityClaims | undefined {
  const subject = idToken['sub'];
  if (typeof subject !== 'string' || subject === '' || subject.length > SUBJECT_MAX_LENGTH) return undefined;
  return {
    issuer,
    subject,
    provider,
    preferredUsername: text(idToken['preferred_username']) ?? text(userInfo['preferred_username']),
    displayName: text(idToken['name']) ?? text(userInfo['name']),
    verifiedEmail: verifiedEmail(idToken) ?? verifiedEmail(userInfo),
    groups: strings(idToken[groupsClaim]) ?? strings(userInfo[groupsClaim]) ?? [],
  };
}

/** The address when this very source calls it verified, and it is one address. */
export function verifiedEmail(source: RawClaims): string | undefined {
  const email = text(source['email']);
  return source['email_verified'] === true && parseEmail(email) !== undefined ? email : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A list of texts; one alone counts as a list, as some providers send it. */
function strings(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) return undefined;
  return value.filter((each): each is string => typeof each === 'string');
}
