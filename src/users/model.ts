import type { Branded } from '../lib/brand.ts';

export type UserId = Branded<`usr_${string}`, 'UserId'>;
export type UserRole = 'owner' | 'member';
export type UserStatus = 'active' | 'disabled';

/** A person. Told apart by `(issuer, subject)` or a local credential, never by an e-mail address. */
export interface User {
  readonly id: UserId;
  /** Unique without regard to case; sent as `Remote-User`. It never changes by itself. */
  readonly username: string;
  readonly displayName: string;
  /** Only ever a verified address, unique without regard to case; otherwise absent. */
  readonly email: string | undefined;
  readonly groups: readonly string[];
  readonly role: UserRole;
  readonly status: UserStatus;
  /** Sessions and sign-ins begun before this instant are over ("everywhere"). Epoch milliseconds. */
  readonly endedBefore: number | undefined;
  readonly createdAt: number;
  readonly lastSignInAt: number | undefined;
}

/** Who a provider says somebody is (OpenID Connect Core section 2). */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  readonly provider: string;
  readonly userId: UserId;
}

/** What a provider tells of a person at one sign-in; `email` only where the same source calls it verified. */
export interface IdentityClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly provider: string;
  readonly preferredUsername: string | undefined;
  readonly displayName: string | undefined;
  readonly verifiedEmail: string | undefined;
  readonly groups: readonly string[];
}

/** Who does something, for the audit row. Without a `userId` it is the operator at the machine, who may do everything. */
export interface Actor {
  readonly userId?: UserId | undefined;
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
}

/** The form in which names and addresses are compared: compatibility forms and case do not count. */
export function foldName(text: string): string {
  return text.normalize('NFKC').toLowerCase().normalize('NFKC');
}
