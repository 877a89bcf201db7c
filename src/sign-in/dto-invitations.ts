import { z } from 'zod';
import { instantText } from '../lib/instant.ts';
import type { Invitation, InvitationId } from '../users/store-invitations.ts';
import type { NewLink } from './invitations.ts';

const role = z.enum(['owner', 'member'], { error: '"owner" or "member"' });

export const invitationId = z
  .string()
  .regex(/^inv_[a-z2-7]{26}$/)
  .transform((id) => id as InvitationId)
  .describe('id of an invitation');

export const newInvitationDto = z
  .strictObject(
    { role: role.default('member').describe('what the invited person becomes') },
    { error: 'an object' },
  )
  .meta({ id: 'NewInvitation' });

export const createdInvitationDto = z
  .strictObject({
    id: z.string(),
    url: z.url().describe('lets one person in, once; shown this once'),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'CreatedInvitation' });

export const invitationListDto = z
  .strictObject({
    invitations: z.array(
      z
        .strictObject({
          id: z.string(),
          role,
          created_by: z.string().nullable().describe('a user; null for the operator at the machine'),
          created_at: z.iso.datetime(),
          expires_at: z.iso.datetime(),
        })
        .meta({ id: 'Invitation', description: 'An invitation that nobody has used, without its link.' }),
    ),
  })
  .meta({ id: 'InvitationList' });

export function toCreatedInvitation({ id, link, expiresAt }: NewLink): z.input<typeof createdInvitationDto> {
  return { id, url: link, expires_at: instantText(expiresAt) };
}

export function toInvitationList(invitations: readonly Invitation[]): z.input<typeof invitationListDto> {
  return {
    invitations: invitations.map((invitation) => ({
      id: invitation.id,
      role: invitation.role,
      created_by: invitation.createdByUserId ?? null,
      created_at: instantText(invitation.createdAt),
      expires_at: instantText(invitation.expiresAt),
    })),
  };
}
