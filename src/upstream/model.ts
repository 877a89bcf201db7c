import type { Branded } from '../lib/brand.ts';
import type { SessionId } from '../sessions/model.ts';
import type { UserId } from '../users/model.ts';

export type UpstreamGrantId = Branded<`upg_${string}`, 'UpstreamGrantId'>;
/** Also the `state` parameter (RFC 6749 section 4.1.1); what binds it to a browser is that browser's cookie. */
export type UpstreamLinkId = Branded<`lnk_${string}`, 'UpstreamLinkId'>;
export type UserSecretId = Branded<`sec_${string}`, 'UserSecretId'>;
/** What a sealer made; all that a store ever holds of a token or a secret. */
export type Sealed = Branded<string, 'Sealed'>;

/** The account at the provider that tokens belong to. */
export interface UpstreamAccount {
  /** The issuer identifier, or the address of a server that has none. */
  readonly issuer: string;
  readonly subject: string;
  /** What the provider calls it. */
  readonly name: string | undefined;
}

/** Why a grant has to be linked again. */
export type GrantEndReason = 'invalid_grant' | 'expired' | 'unreadable' | 'restored';

/** What a person lets us hold at a provider, without the tokens themselves. */
export interface UpstreamGrant {
  readonly id: UpstreamGrantId;
  readonly userId: UserId;
  readonly provider: string;
  readonly subject: string;
  readonly accountName: string | undefined;
  readonly scope: string | undefined;
  readonly status: 'active' | 'link_again';
  readonly endReason: GrantEndReason | undefined;
  readonly sealedAccessToken: Sealed | undefined;
  readonly sealedRefreshToken: Sealed | undefined;
  readonly obtainedAt: number;
  readonly expiresAt: number | undefined;
  readonly version: number;
  readonly linkedAt: number;
}

/** A link that has begun at a provider. */
export interface UpstreamLink {
  readonly id: UpstreamLinkId;
  readonly provider: string;
  readonly userId: UserId;
  readonly sessionId: SessionId;
  /** A path of ours. */
  readonly returnTo: string;
  readonly expiresAt: number;
}

/** A secret that a person pasted, without its value. */
export interface UserSecret {
  readonly id: UserSecretId;
  readonly userId: UserId;
  readonly name: string;
  readonly sealed: Sealed;
  readonly updatedAt: number;
}

/** Why a link came to nothing. */
export type LinkRefusal =
  /** `state` is missing, unknown, used already, voided or expired. */
  | 'link_unknown'
  /** This browser, or the session it has now, did not begin the link. */
  | 'other_browser'
  | 'other_provider'
  /** The person or the provider said no (`access_denied`). */
  | 'denied_at_provider'
  | 'provider_error'
  | 'provider_unavailable'
  /** What the provider sent does not hold, or cannot be used as a token. */
  | 'answer_invalid'
  /** The account at the provider is how somebody else signs in here. */
  | 'other_person';

/** Aborts the transaction in which it is thrown. */
export class LinkRefused extends Error {
  override readonly name = 'LinkRefused';
  readonly refusal: LinkRefusal;

  constructor(refusal: LinkRefusal, options: { cause?: unknown } = {}) {
    super(`the link is refused: ${refusal}`, options);
    this.refusal = refusal;
  }
}

/** A provider whose tokens end at once is not asked more often. */
const MIN_AGE_MS = 1_000;

/** When a token should be refreshed: `leadMs` before its end, or after half its life where that is later. `Infinity`: never. */
export function dueAt(
  { obtainedAt, expiresAt }: Pick<UpstreamGrant, 'obtainedAt' | 'expiresAt'>,
  leadMs: number,
): number {
  if (expiresAt === undefined) return Infinity;
  const lead = Math.min(leadMs, Math.max(0, expiresAt - obtainedAt) / 2);
  return Math.max(expiresAt - lead, obtainedAt + MIN_AGE_MS);
}

/** Whether the token is over. */
export const isExpired = ({ expiresAt }: Pick<UpstreamGrant, 'expiresAt'>, now: number): boolean =>
  expiresAt !== undefined && now >= expiresAt;
