import { z } from 'zod';
import { aboutFields } from './dto.ts';
import { proofFields } from './dto-pairings.ts';

/** Longer than any code of ours. */
const MAX_CODE = 1_000;

export const joinDto = z
  .strictObject({ ...aboutFields, ...proofFields }, { error: 'an object' })
  .meta({ id: 'Join', description: 'The proof is over the word `join` in the place of a code.' });

export const begunJoinDto = z
  .strictObject({
    device_code: z.string().describe('asks what became of it; the device keeps it to itself'),
    user_code: z.string().describe('shown by the device, and typed by its person'),
    verification_uri: z.string().describe('where it is typed'),
    expires_in: z.int().describe('seconds'),
    interval: z.int().describe('seconds to wait between two questions'),
  })
  .meta({ id: 'BegunJoin', description: 'The names are those of RFC 8628 section 3.2.' });

export const joinRedemptionDto = z
  .strictObject(
    {
      device_code: z.string({ error: 'a code' }).max(MAX_CODE, { error: 'a code' }),
      ...proofFields,
    },
    { error: 'an object' },
  )
  .meta({ id: 'JoinRedemption', description: 'The proof is over the device code, made with the same key.' });
