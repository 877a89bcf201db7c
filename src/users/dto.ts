import { z } from 'zod';
import { instantText } from '../lib/instant.ts';
import type { User, UserId } from './model.ts';

export const userId = z
  .string()
  .regex(/^usr_[a-z2-7]{26}$/)
  .transform((id) => id as UserId)
  .describe('id of a user');

const role = z.enum(['owner', 'member'], { error: '"owner" or "member"' });
const status = z.enum(['active', 'disabled'], { error: '"active" or "disabled"' });

export const userDto = z
  .strictObject({
    id: z.string(),
    username: z.string().describe('it never changes; protected apps get it as `Remote-User`'),
    display_name: z.string(),
    email: z.string().nullable().describe('a verified address'),
    groups: z.array(z.string()),
    role,
    status,
    created_at: z.iso.datetime(),
    last_sign_in_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'User' });

export const userListDto = z
  .strictObject({ users: z.array(userDto).describe('by username') })
  .meta({ id: 'UserList' });

/** One act a request, so that none is half done. */
export const userPatchDto = z
  .union(
    [
      z.strictObject({
        status,
        devices: z.boolean().default(false).describe('with `disabled`: end the sessions of devices too'),
      }),
      z.strictObject({ role }),
    ],
    { error: 'an object with either a status or a role' },
  )
  .meta({ id: 'UserPatch' });

export function toUserDto(user: User): z.input<typeof userDto> {
  return {
    id: user.id,
    username: user.username,
    display_name: user.displayName,
    email: user.email ?? null,
    groups: [...user.groups],
    role: user.role,
    status: user.status,
    created_at: instantText(user.createdAt),
    last_sign_in_at: user.lastSignInAt === undefined ? null : instantText(user.lastSignInAt),
  };
}
