import { z } from 'zod';
import { instantText } from '../lib/instant.ts';
import type { Delivery, DeliveryId } from './store-deliveries.ts';

const MAX_NOTE_LENGTH = 500;

export const deliveryParam = z
  .string()
  .regex(/^dlv_[a-z2-7]{26}$/)
  .transform((id) => id as DeliveryId)
  .describe('id of a delivery');

export const newDeliveryDto = z
  .strictObject(
    {
      body: z
        .unknown()
        .refine((body) => body !== undefined, { error: 'any JSON' })
        .describe('any JSON, for the device alone to understand'),
      expires_in: z
        .int({ error: 'a whole number of seconds' })
        .min(1, { error: 'at least one second' })
        .optional()
        .describe('how long it waits for the device, in seconds; by default as long as is configured'),
    },
    { error: 'an object with a body' },
  )
  .meta({ id: 'NewDelivery' });

const deliveryDto = z
  .strictObject({
    id: z.string(),
    sequence: z.int().describe('rises from one to the next; the order in which the device gets them'),
    status: z.enum(['queued', 'handed_out', 'done', 'failed', 'expired', 'cancelled']),
    body: z.unknown(),
    note: z.string().nullable().describe('what the device said of it'),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
    handed_out_at: z.iso.datetime().nullable().describe('when the device first got it'),
    settled_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Delivery', description: 'A message that waits for a device, or did.' });

export const createdDeliveryDto = deliveryDto;

export const deliveryListDto = z
  .strictObject({ deliveries: z.array(deliveryDto).describe('newest first') })
  .meta({ id: 'DeliveryList' });

export const ownDeliveriesDto = z
  .strictObject({
    deliveries: z
      .array(
        z.strictObject({
          id: z.string(),
          sequence: z.int(),
          body: z.unknown(),
          created_at: z.iso.datetime(),
          expires_at: z.iso.datetime(),
        }),
      )
      .describe('oldest first; the same again until their receipts have come'),
  })
  .meta({ id: 'OwnDeliveries' });

export const receiptDto = z
  .strictObject(
    {
      outcome: z.enum(['done', 'failed'], { error: 'done or failed' }),
      note: z
        .string({ error: 'a text' })
        .trim()
        .min(1, { error: 'a text that is not empty' })
        .max(MAX_NOTE_LENGTH, { error: `at most ${MAX_NOTE_LENGTH} characters` })
        .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u, {
          error: 'a text of one line, without control characters',
        })
        .optional()
        .describe('for people to read'),
    },
    { error: 'an object' },
  )
  .meta({ id: 'DeliveryReceipt' });

export function toDeliveryDto(delivery: Delivery, now: number): z.input<typeof deliveryDto> {
  const { id, sequence, body, note, createdAt, expiresAt, handedOutAt, settledAt } = delivery;
  return {
    id,
    sequence,
    status: statusOf(delivery, now),
    body: JSON.parse(body),
    note: note ?? null,
    created_at: instantText(createdAt),
    expires_at: instantText(expiresAt),
    handed_out_at: handedOutAt === undefined ? null : instantText(handedOutAt),
    settled_at: settledAt === undefined ? null : instantText(settledAt),
  };
}

/** What became of it, as people are told. */
export function statusOf(
  { status, outcome, expiresAt, handedOutAt }: Delivery,
  now: number,
): z.input<typeof deliveryDto>['status'] {
  if (status === 'cancelled') return 'cancelled';
  if (status === 'received') return outcome ?? 'done';
  if (expiresAt <= now) return 'expired';
  return handedOutAt === undefined ? 'queued' : 'handed_out';
}

export function toOwnDeliveries(deliveries: readonly Delivery[]): z.input<typeof ownDeliveriesDto> {
  return {
    deliveries: deliveries.map(({ id, sequence, body, createdAt, expiresAt }) => ({
      id,
      sequence,
      body: JSON.parse(body),
      created_at: instantText(createdAt),
      expires_at: instantText(expiresAt),
    })),
  };
}
