import type { users } from '../db/schema/index.ts';
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

/** The person as one row of `users` tells it. */
export function toUser(row: UserRow): User {
  return {
    id: row.id as UserId,
    username: row.username,
    displayName: row.displayName,
    email: row.email ?? undefined,
    groups: row.groups,
    role: row.role,
    status: row.status,
    endedBefore: row.endedBeforeMs ?? undefined,
    createdAt: row.createdAtMs,
    lastSignInAt: row.lastSignInAtMs ?? undefined,
  };
}
