import { z } from 'zod';
import { duration } from './duration.ts';
import { redisUrlFault, sentinelFault, streamNameFault } from './faults-redis.ts';
import { checkedText, choice, count, filePath, list, text } from './values.ts';

const tls = () =>
  z.strictObject(
    {
      ca: filePath('a file')
        .optional()
        .describe('certificates that the server’s must be signed by, PEM; by default those of the system'),
      cert: filePath('a file')
        .optional()
        .describe('certificate that Postern shows, PEM, where the server asks for one'),
      key: filePath('a file').optional().describe('its private key, PEM'),
      server_name: text('a host name')
        .optional()
        .describe('name that the server’s certificate must bear; by default the host that is dialled'),
    },
    { error: 'a table of ca, cert, key and server_name' },
  );

/** `[redis]`. What several of these keys decide together is in `checks/redis.ts`. */
export const redisSchema = () =>
  z.strictObject(
    {
      url: checkedText('an address like redis://10.0.0.5:6379/0', redisUrlFault)
        .optional()
        .describe(
          'turns Redis on: `redis://`, or `rediss://` for TLS, the host, its port unless that is 6379, and the number of the database, like `rediss://redis.home:6379/0`',
        ),
      username: text('a user name').optional().describe('user of Redis (ACL); by default `default`'),
      password: text('a password').meta({ secret: true }).optional().describe('password of that user'),
      sentinels: list(checkedText('host:port', sentinelFault), 'a list of addresses')
        .default([])
        .describe(
          'addresses of Redis Sentinels, which then say where the primary is; of `url` only its scheme and database count',
        ),
      sentinel_name: text('the name of a primary')
        .optional()
        .describe('what the sentinels call the primary, like `mymaster`'),
      sentinel_username: text('a user name').optional().describe('user at the sentinels'),
      sentinel_password: text('a password')
        .meta({ secret: true })
        .optional()
        .describe('password at the sentinels'),
      tls: tls().optional().describe('how the server of a `rediss://` address is known; TLS 1.2 or newer'),
      connect_timeout: duration('5s', '1m').describe('time that a connection has to be made'),
      lookup_timeout: duration('1s', '30s').describe('time that Redis has to answer'),
      read_block_timeout: duration('1s', '1m').describe(
        'how long a read of the streams waits for something new; shorter than `heartbeat_timeout`',
      ),
      events_stream: checkedText('the name of a stream', streamNameFault)
        .default('postern:events')
        .describe('stream of what happened to sessions, and of heartbeats'),
      device_events_stream: checkedText('the name of a stream', streamNameFault)
        .default('postern:device-sessions')
        .describe('stream of what happened to sessions of devices, which other systems may read and write'),
      stream_max_length: count(100_000).describe('events that a stream keeps, roughly'),
      heartbeat_interval: duration('2s', '10m').describe('how often each node sends itself a heartbeat'),
      heartbeat_timeout: duration('5s', '30m').describe(
        'how long a node believes its cache after the last heartbeat that came back; longer than `heartbeat_interval`',
      ),
      outbox_timeout: duration('2s', '10m').describe(
        'how long an event may wait to be published before caches are not believed',
      ),
      consistency: choice(['strict', 'best_effort'])
        .default('strict')
        .describe(
          'when neither cache nor store can be believed: `strict` refuses with 503, `best_effort` serves from memory until `sessions.cache_ttl`',
        ),
    },
    { error: 'a table [redis]' },
  );
