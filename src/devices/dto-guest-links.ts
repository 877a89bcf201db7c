import { z } from 'zod';
import { SERVICE_NAME, SERVICE_NAME_EXPECTED } from '../config/service-name.ts';
import { instantText } from '../lib/instant.ts';
import type { MadeGuestLink } from './guest-links.ts';
import type { GuestLink, GuestLinkId } from './store-guest-links.ts';

const MAX_LABEL_LENGTH = 100;
/** As many sessions as one act may have to end. */
const MAX_USES = 1_000;
const DEFAULT_USES = 10;

const serviceName = z
  .string({ error: 'the name of a service' })
  .regex(SERVICE_NAME, { error: SERVICE_NAME_EXPECTED });

export const guestLinkId = z
  .string()
  .regex(/^gst_[a-z2-7]{26}$/)
  .transform((id) => id as GuestLinkId)
  .describe('id of a guest link');

export const newGuestLinkDto = z
  .strictObject(
    {
      service: serviceName.describe('the one service that guests reach'),
      label: z
        .string({ error: 'a text' })
        .trim()
        .min(1, { error: 'a text that is not empty' })
        .max(MAX_LABEL_LENGTH, { error: `at most ${MAX_LABEL_LENGTH} characters` })
        .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u, {
          error: 'a text of one line, without control characters',
        })
        .describe('what you call it'),
      expires_in: z
        .int({ error: 'a whole number of seconds' })
        .min(1, { error: 'at least one second' })
        .describe('its life in seconds; sessions of guests end with it'),
      max_uses: z
        .int({ error: 'a whole number' })
        .min(1, { error: 'at least one' })
        .max(MAX_USES, { error: `at most ${MAX_USES}` })
        .default(DEFAULT_USES)
        .describe('how many sessions may begin with it'),
    },
    { error: 'an object' },
  )
  .meta({ id: 'NewGuestLink' });

const guestLinkDto = z
  .strictObject({
    id: z.string(),
    service: z.string(),
    label: z.string(),
    uses: z.int().describe('how many sessions have begun with it'),
    max_uses: z.int(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
    last_used_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'GuestLink', description: 'A guest link that has not ended, without its secret.' });

export const guestLinkListDto = z
  .strictObject({ guest_links: z.array(guestLinkDto).describe('oldest first') })
  .meta({ id: 'GuestLinkList' });

export const createdGuestLinkDto = z
  .strictObject({ guest_link: guestLinkDto, url: z.string().describe('hand it on; shown this once') })
  .meta({ id: 'CreatedGuestLink' });

function toGuestLinkDto(link: GuestLink): z.input<typeof guestLinkDto> {
  return {
    id: link.id,
    service: link.service,
    label: link.label,
    uses: link.uses,
    max_uses: link.maxUses,
    created_at: instantText(link.createdAt),
    expires_at: instantText(link.expiresAt),
    last_used_at: link.lastUsedAt === undefined ? null : instantText(link.lastUsedAt),
  };
}

export function toGuestLinkList(links: readonly GuestLink[]): z.input<typeof guestLinkListDto> {
  return { guest_links: links.map(toGuestLinkDto) };
}

export function toCreatedGuestLink({ link, url }: MadeGuestLink): z.input<typeof createdGuestLinkDto> {
  return { guest_link: toGuestLinkDto(link), url };
}
