import { z } from 'zod';
import { duration } from './duration.ts';
import { deviceBaseFault } from './faults-devices.ts';
import { deviceRule } from './schema-device-rules.ts';
import { checkedText, count, tables } from './values.ts';

/** What `[devices]` may hold; `people` is who may be meant by a rule. */
export const devicesSchema = <T extends z.ZodType>(people: T) =>
  z.strictObject(
    {
      base: checkedText('a host name like devices.example.com', deviceBaseFault)
        .optional()
        .describe(
          'browsers reach the services of devices at `<service>--<handle>.<base>`; with its port unless that is the scheme’s own. By default `devices.localhost` with the port of `url` where `url` is http, otherwise there are no such hosts',
        ),
      rule: tables('devices.rule', deviceRule(people)).describe(
        'who may reach which devices besides those they belong to',
      ),
      guest_link_max_lifetime: duration('30d', '365d').describe('longest life of a guest link'),
      guest_links_per_device: count(100).describe('guest links that one device may have at once'),
      pairing_lifetime: duration('10m', '24h').describe('life of a pairing code'),
      pairings_per_user: count(20).describe('pairing codes of one person that may wait at once'),
      per_user: count(1_000).describe('paired devices of one person'),
      redeems_per_address: count(30).describe('pairing codes refused per address and window'),
      redeems: count(1_000).describe('pairing codes refused in all per window'),
      redeems_window: duration('15m').describe('window of these limits'),
    },
    { error: 'a table [devices]' },
  );
