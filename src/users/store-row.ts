import type { users } from '../db/schema/index.ts';
import { interner } from '../lib/interner.ts';
import type { User, UserId } from './model.ts';

type UserRow = Pick<
  typeof users.$inferSelect,
  | 'id'
  | 'username'
  | 'displayName'
  | 'email'
  | 'groups'
  | 'role'
  | 'status'
  | 'endedBeforeMs'
  | 'createdAtMs'
  | 'lastSignInAtMs'
>;

/** Many people are in the same few groups; one list of each keeps them close together in memory, and is a key to what it comes to. */
const groups = interner((json: string) => Object.freeze(JSON.parse(json)) as readonly string[]);
const word = interner((text: string) => text);

/** The person as one row of `users` tells it. */
export function toUser(row: UserRow): User {
  return {
    id: row.id as UserId,
    username: row.username,
    displayName: row.displayName,
    email: row.email ?? undefined,
    groups: groups(JSON.stringify(row.groups)),
    role: word(row.role) as User['role'],
    status: word(row.status) as User['status'],
    endedBefore: row.endedBeforeMs ?? undefined,
    createdAt: row.createdAtMs,
    lastSignInAt: row.lastSignInAtMs ?? undefined,
  };
}
