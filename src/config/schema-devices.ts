import { z } from 'zod';
import { duration } from './duration.ts';
import { count } from './values.ts';

/** What `[devices]` may hold. */
export const devicesSchema = z.strictObject(
  {
    pairing_lifetime: duration('10m', '24h').describe('life of a pairing code'),
    pairings_per_user: count(20).describe('pairing codes of one person that may wait at once'),
    per_user: count(1_000).describe('paired devices of one person'),
    redeems_per_address: count(30).describe('pairing codes refused per address and window'),
    redeems: count(1_000).describe('pairing codes refused in all per window'),
    redeems_window: duration('15m').describe('window of these limits'),
  },
  { error: 'a table [devices]' },
);
