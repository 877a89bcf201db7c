import { encodeBase32LowerCaseNoPadding } from '@oslojs/encoding';
import { AppError } from '../lib/app-error.ts';
import { randomBytes } from '../lib/random.ts';
import type { IdentityClaims, UserRole } from './model.ts';
import { isPrivilegedName, isUsername, USERNAME_MAX_LENGTH, usernameFrom } from './name.ts';
import type { UserStore } from './store.ts';

/** Numbers tried behind a name before random letters are. */
const MAX_NUMBER = 20;
const RANDOM_BYTES = 5;
/** Room for a hyphen and eight random letters. */
const SUFFIX_LENGTH = 9;

/**
 * The username a person from a provider gets at the first sign-in. It is `Remote-User` at every app, so that it is
 * never one that somebody has or had, and a member never gets a name that means an administrator.
 */
export function deriveUsername(store: UserStore, claims: IdentityClaims, role: UserRole): string {
  const candidates = [claims.preferredUsername, claims.verifiedEmail];
  const base = usernameFrom(candidates, USERNAME_MAX_LENGTH - SUFFIX_LENGTH);
  const isFree = (name: string) =>
    !store.isUsernameUsed(name) && (role === 'owner' || !isPrivilegedName(name));
  if (isFree(base)) return base;
  for (let number = 2; number <= MAX_NUMBER; number++) {
    if (isFree(`${base}-${number}`)) return `${base}-${number}`;
  }
  return `${base}-${encodeBase32LowerCaseNoPadding(randomBytes(RANDOM_BYTES))}`;
}

/**
 * Holds that somebody may choose this username.
 * @throws AppError `unprocessable` (`bad_username`, `reserved_username`) or `conflict` (`username_taken`).
 */
export function requireFreeUsername(
  store: UserStore,
  username: string,
  by: { role: UserRole; isOperator: boolean },
): void {
  if (!isUsername(username)) throw badUsername();
  if (isPrivilegedName(username) && by.role !== 'owner' && !by.isOperator) {
    throw new AppError(
      'unprocessable',
      'reserved_username',
      'This user name is reserved; choose another one.',
    );
  }
  const taken = by.isOperator ? store.findByUsername(username) !== undefined : store.isUsernameUsed(username);
  if (taken) throw new AppError('conflict', 'username_taken', 'This user name is taken; choose another one.');
}

const badUsername = () =>
  new AppError(
    'unprocessable',
    'bad_username',
    `A user name has up to ${USERNAME_MAX_LENGTH} letters (a–z), digits, dots, hyphens and underscores, and begins and ends with a letter or digit.`,
  );
