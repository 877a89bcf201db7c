import { OFFLINE_ACCESS } from './constants.ts';
import { AuthorizationError, type ProtectedResource } from './model.ts';

/** `scope-token` (RFC 6749 section 3.3). */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** The names in a `scope` parameter. @throws AuthorizationError `invalid_scope` for a malformed one. */
export function parseScope(scope: string | undefined): readonly string[] {
  const names = (scope ?? '').split(' ').filter((name) => name !== '');
  if (!names.every((name) => SCOPE_TOKEN.test(name))) {
    throw new AuthorizationError('invalid_scope', 'the scope is malformed');
  }
  return names;
}

/** Every name has to be the scope of one of these resources, or `offline_access`. @throws AuthorizationError `invalid_scope`. */
export function checkScope(scopes: readonly string[], candidates: readonly ProtectedResource[]): void {
  const known = scopes.every(
    (name) => name === OFFLINE_ACCESS || candidates.some(({ scope }) => scope === name),
  );
  if (!known) throw new AuthorizationError('invalid_scope', 'the resource has no such scope');
}

/** Whether a refresh asks for no more than was granted (RFC 6749 section 6). */
export function isWithin(asked: string | undefined, granted: string): boolean {
  const had = granted.split(' ');
  return (asked ?? '')
    .split(' ')
    .every((name) => name === '' || name === OFFLINE_ACCESS || had.includes(name));
}
