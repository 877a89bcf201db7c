import { z } from 'zod';
import type { User } from '../users/model.ts';
import { toSessionFields } from './dto-fields.ts';
import type { Session, SessionId } from './model.ts';

const instant = (what: string) => z.iso.datetime().describe(`${what}, RFC 3339 in UTC`);

export const sessionId = z
  .string()
  .regex(/^ses_[a-z2-7]{26}$/)
  .transform((id) => id as SessionId)
  .describe('id of a session');

/** `?devices=true`: whether devices are meant too. */
export const devicesQuery = z
  .enum(['true', 'false'], { error: '"true" or "false"' })
  .default('false')
  .transform((value) => value === 'true')
  .describe('end the sessions of devices too');

const sessionFields = {
  id: z.string(),
  kind: z.enum(['user', 'grant', 'device']).describe('a browser, a client or personal token, a device'),
  parent_id: z.string().nullable().describe('the session it is a child of and ends with'),
  host: z.string().nullable().describe('the protected host of a child session'),
  label: z.string().nullable().describe('what its user calls it'),
  device_id: z.string().nullable().describe('the device of a device session'),
  guest_link_id: z
    .string()
    .nullable()
    .describe('the guest link that a session at the host of a device came from'),
  client_id: z.string().nullable().describe('the OAuth client of a grant; `personal` for personal tokens'),
  provider: z.string().nullable().describe('the provider that the person signed in through'),
  address: z.string().nullable().describe('where it was begun from'),
  user_agent: z.string().nullable().describe('what it was begun with'),
  created_at: instant('when it began'),
  last_seen_at: instant('its last use'),
  expires_at: instant('when it ends by itself unless it is used').nullable(),
};

const sessionDto = z
  .strictObject({ ...sessionFields, current: z.boolean().describe('whether it is the one that asks') })
  .meta({ id: 'Session', description: 'A live session.' });

export const sessionListDto = z
  .strictObject({ sessions: z.array(sessionDto).describe('newest use first') })
  .meta({ id: 'SessionList' });

export const whoAmIDto = z
  .strictObject({
    user: z.strictObject({
      id: z.string(),
      username: z.string(),
      display_name: z.string(),
      email: z.string().nullable().describe('a verified address'),
      groups: z.array(z.string()),
      role: z.enum(['owner', 'member']),
    }),
    session: sessionDto,
  })
  .meta({ id: 'WhoAmI' });

export const endedDto = z
  .strictObject({ ended: z.int().describe('how many sessions have ended') })
  .meta({ id: 'Ended' });

export const sessionEventDto = z
  .strictObject({
    session: z.strictObject(sessionFields),
    reason: z.string().nullable().describe('why it was revoked'),
  })
  .meta({ id: 'SessionEvent', description: 'The data of `created`, `revoked` and `expired`.' });

export type SessionEventDto = z.input<typeof sessionEventDto>;

function toSessionDto(session: Session, current: SessionId): z.input<typeof sessionDto> {
  return { ...toSessionFields(session), current: session.id === current };
}

export function toSessionList(
  sessions: readonly Session[],
  current: SessionId,
): z.input<typeof sessionListDto> {
  return { sessions: sessions.map((session) => toSessionDto(session, current)) };
}

export function toWhoAmI(user: User, session: Session): z.input<typeof whoAmIDto> {
  return {
    user: {
      id: user.id,
      username: user.username,
      display_name: user.displayName,
      email: user.email ?? null,
      groups: [...user.groups],
      role: user.role,
    },
    session: toSessionDto(session, session.id),
  };
}
