import type { IdentityClaims, UserRole } from '../users/model.ts';
import { matchesPeople } from '../users/rules.ts';
import type { Provider } from './provider.ts';

/** What the rules of a provider say of a person. */
export interface Admission {
  readonly isAllowed: boolean;
  /** `owner` when `owners` names them; `member` takes back only what `owners` gave before. */
  readonly role: UserRole;
}

/** `allow` alone decides who may sign in: being named in `owners` opens no door. */
export function admissionOf(
  { allow, owners }: Pick<Provider, 'allow' | 'owners'>,
  { subject, verifiedEmail, groups }: IdentityClaims,
): Admission {
  const who = { subject, email: verifiedEmail, groups };
  return { isAllowed: matchesPeople(allow, who), role: matchesPeople(owners, who) ? 'owner' : 'member' };
}
