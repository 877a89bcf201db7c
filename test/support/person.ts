import type { User, UserId } from '../../src/users/model.ts';

/** A member who is active; what matters to a test is named. */
export function aPerson(some: Partial<User> = {}): User {
  return {
    id: 'usr_1' as UserId,
    username: 'ada',
    displayName: 'Ada',
    email: undefined,
    groups: [],
    role: 'member',
    status: 'active',
    endedBefore: undefined,
    createdAt: 0,
    lastSignInAt: undefined,
    ...some,
  };
}
