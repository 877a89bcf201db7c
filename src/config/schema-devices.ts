import { z } from 'zod';
import { duration } from './duration.ts';
import { publicUrlFault } from './faults.ts';
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
      rule: tables('devices.rule', () => deviceRule(people)).describe(
        'who may reach which devices besides those they belong to',
      ),
      guest_link_max_lifetime: duration('30d', '365d').describe('longest life of a guest link'),
      guest_links_per_device: count(100).describe('guest links that one device may have at once'),
      pairing_lifetime: duration('10m', '24h').describe('life of a pairing code'),
      pairings_per_user: count(20).describe('pairing codes of one person that may wait at once'),
      per_user: count(1_000).describe('paired devices of one person'),
      redeems_per_address: count(30).describe('pairing codes refused per address and window'),
      redeems: count(1_000).describe('pairing codes refused in all per window'),
      joins_per_address: count(30).describe(
        'devices that may ask to be let in by showing a code, per address and window',
      ),
      joins: count(1_000).describe('devices that may wait to be let in at once, in all'),
      join_poll_interval: duration('5s', '1m').describe(
        'how long a device that shows a code waits between two questions',
      ),
      redeems_window: duration('15m').describe('window of these limits'),
      relay_url: checkedText('an origin like https://relay.example.com', publicUrlFault)
        .optional()
        .describe('origin that devices dial for their tunnel; by default that of `url`'),
      heartbeat_interval: duration('20s', '10m').describe(
        'how often a tunnel is asked whether its device is there',
      ),
      heartbeat_timeout: duration('45s', '1h').describe(
        'how long a tunnel may be silent before it is closed; longer than `heartbeat_interval`',
      ),
      seen_interval: duration('15m', '1d').describe(
        'how often it is written that a connected device is there; besides, when its tunnel closes',
      ),
      tunnel_memory_bytes: count(16_777_216).describe(
        'what one tunnel may hold in memory for slow readers and writers, in bytes',
      ),
      tunnel_window_bytes: count(4_194_304).describe('what a stream may have under way at most, in bytes'),
      streams_per_tunnel: count(1_024).describe(
        'requests, WebSockets and connections of one tunnel at one time',
      ),
      opens_per_second: count(50_000).describe('streams that are opened in one tunnel in a second'),
      answer_timeout: duration('2m', '1h').describe('how long the head of an answer may take'),
      stream_idle_timeout: duration('24h', '30d').describe(
        'how long a stream in which nothing moves stays open',
      ),
      max_request_bytes: count(1_099_511_627_776, 4_398_046_511_104).describe(
        'largest body of a request to a device, in bytes',
      ),
      max_message_bytes: count(4_194_304, 67_108_864).describe(
        'largest message of a WebSocket to a device, in bytes',
      ),
      web_sockets_per_session: count(64).describe(
        'WebSockets that one session of a visitor may have open to one device',
      ),
      max_buffered_bytes: count(16_777_216).describe(
        'what may wait to be sent on one WebSocket, in bytes; it is closed beyond that',
      ),
      signature_max_age: duration('60s', '10m').describe('how old a signed request may be when it arrives'),
      signature_max_ahead: duration('30s', '10m').describe('how far ahead the clock of a device may be'),
      nonce_memory: duration('120s', '1h').describe(
        'how long it is remembered that a signature was used; longer than the two above together',
      ),
      deliveries_per_device: count(100).describe('messages that may wait for one device'),
      delivery_max_bytes: count(16_384, 262_144).describe('largest message, in bytes of JSON'),
      delivery_lifetime: duration('7d', '365d').describe('how long a message waits where it does not say'),
      delivery_max_lifetime: duration('30d', '365d').describe('longest time that a message may wait'),
      delivery_retention: duration('7d', '365d').describe('how long it can be seen what became of a message'),
    },
    { error: 'a table [devices]' },
  );
