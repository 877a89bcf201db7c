import { describe, expect, test } from 'bun:test';
import { parseRedisUrl } from '../../../src/config/faults-redis.ts';
import { printConfig } from '../../../src/config/print.ts';
import { configDirectory, problemsOf } from '../../support/config-directory.ts';

const URL_LINE = 'url = "redis://redis.home"';

const loaded = (toml: string, env = {}) => {
  using directory = configDirectory(toml);
  return directory.load({ env });
};

describe('redis.url', () => {
  test.each([
    ['redis://redis.home', { host: 'redis.home', port: 6379, database: 0, tls: false }],
    ['redis://redis.home/', { host: 'redis.home', port: 6379, database: 0, tls: false }],
    ['redis://redis.home:6380/3', { host: 'redis.home', port: 6380, database: 3, tls: false }],
    ['rediss://10.0.0.5/16383', { host: '10.0.0.5', port: 6379, database: 16_383, tls: true }],
    ['REDISS://[fd00::5]:6380', { host: 'fd00::5', port: 6380, database: 0, tls: true }],
    ['redis://my_redis:80/0', { host: 'my_redis', port: 80, database: 0, tls: false }],
  ])('%s is understood', (url, target) => {
    expect(loaded(`[redis]\nurl = "${url}"`).redis.url).toBe(url);
    expect(parseRedisUrl(url)).toEqual(target);
  });

  const SCHEME = 'an address like redis://10.0.0.5:6379/0, or rediss:// for TLS';
  const HOST = 'a host name or an address behind redis://';
  const DATABASE = 'the number of a database behind the host, from 0 to 16383';
  test.each([
    ['redis.home:6379', SCHEME, '"redis.home:6379"'],
    ['http://redis.home', SCHEME, '"http://redis.home"'],
    ['unix:///run/redis.sock', SCHEME, '"unix:///run/redis.sock"'],
    ['redis://', HOST, '"redis://"'],
    ['redis:///0', HOST, '"redis:///0"'],
    ['redis://redis.home:0', HOST, '"redis://redis.home:0"'],
    ['redis://redis.home:65536', HOST, '"redis://redis.home:65536"'],
    ['redis://redis.home:port', HOST, '"redis://redis.home:port"'],
    ['redis://redis home', HOST, '"redis://redis home"'],
    ['redis://redis.home/one', DATABASE, '"redis://redis.home/one"'],
    ['redis://redis.home/-1', DATABASE, '"redis://redis.home/-1"'],
    ['redis://redis.home/01', DATABASE, '"redis://redis.home/01"'],
    ['redis://redis.home/1/2', DATABASE, '"redis://redis.home/1/2"'],
    ['redis://redis.home/16384', DATABASE, '"redis://redis.home/16384"'],
    ['redis://ada:hush@redis.home', 'without user and password', '"redis://…@redis.home"'],
    ['redis://ada:hu/sh@redis.home', 'without user and password', '"redis://…@redis.home"'],
    ['redis://redis.home?password=hush', 'without query and fragment', '"redis://redis.home?…"'],
    ['redis://redis.home#x', 'without query and fragment', '"redis://redis.home#x"'],
  ])('%s is refused', (url, expected, found) => {
    const [problem, ...others] = problemsOf(`[redis]\nurl = "${url}"`);
    expect(others).toEqual([]);
    expect(problem?.key).toBe('redis.url');
    expect(problem?.expected).toContain(expected);
    expect(problem?.found).toBe(found);
  });
});

/** What stands in `[redis]`, the key that is complained of, and what is expected. */
const REFUSED: [toml: string, key: string, expected: string][] = [
  ['lookup_timeout = "0s"', 'redis.lookup_timeout', 'above zero and at most 30s'],
  ['lookup_timeout = "31s"', 'redis.lookup_timeout', 'above zero and at most 30s'],
  ['connect_timeout = "0ms"', 'redis.connect_timeout', 'above zero and at most 1m'],
  ['read_block_timeout = "0s"', 'redis.read_block_timeout', 'above zero and at most 1m'],
  ['read_block_timeout = "5s"', 'redis.read_block_timeout', 'shorter than redis.heartbeat_timeout'],
  ['heartbeat_interval = "-1s"', 'redis.heartbeat_interval', 'above zero and at most 10m'],
  ['heartbeat_timeout = "2s"', 'redis.heartbeat_timeout', 'longer than redis.heartbeat_interval'],
  ['heartbeat_timeout = "31m"', 'redis.heartbeat_timeout', 'above zero and at most 30m'],
  ['outbox_timeout = "0s"', 'redis.outbox_timeout', 'above zero and at most 10m'],
  ['stream_max_length = 0', 'redis.stream_max_length', 'a whole number from 1'],
  ['consistency = "eventual"', 'redis.consistency', '"strict" or "best_effort"'],
  ['events_stream = ""', 'redis.events_stream', 'the name of a stream'],
  ['events_stream = "my events"', 'redis.events_stream', 'without blanks'],
  [`events_stream = "${'x'.repeat(201)}"`, 'redis.events_stream', 'at most 200 characters'],
  ['events_stream = "postern:session:x"', 'redis.events_stream', 'another name; this one is'],
  ['device_events_stream = "postern:user:x"', 'redis.device_events_stream', 'another name; this one is'],
  ['events_stream = "postern:sessions"', 'redis.events_stream', 'another name; this one is'],
  ['events_stream = "postern:nonces"', 'redis.events_stream', 'another name; this one is'],
  ['device_events_stream = "a\\nb"', 'redis.device_events_stream', 'on one line'],
  ['device_events_stream = "postern:events"', 'redis.device_events_stream', 'other than redis.events_stream'],
  ['username = "postern"', 'redis.password', 'the password of redis.username'],
  ['sentinels = ["10.0.0.7"]', 'redis.sentinel_name', 'what the sentinels call the primary'],
  ['sentinels = ["10.0.0.7:0"]\nsentinel_name = "m"', 'redis.sentinels[0]', 'host or host:port'],
  ['sentinel_name = "mymaster"', 'redis.sentinel_name', 'nothing, or addresses in redis.sentinels'],
  ['sentinel_username = "u"', 'redis.sentinel_username', 'nothing, or addresses in redis.sentinels'],
  ['sentinel_password = "hush"', 'redis.sentinel_password', 'nothing, or addresses in redis.sentinels'],
  ['[redis.tls]\nca = "/ca.pem"', 'redis.tls', 'a redis.url that begins with rediss://'],
];

describe('[redis] is refused', () => {
  test.each(REFUSED)('%s', (toml, key, expected) => {
    const problems = problemsOf(`[redis]\n${URL_LINE}\n${toml}`);
    expect(problems.map((problem) => problem.key)).toEqual([key]);
    expect(problems[0]?.expected).toContain(expected);
  });

  test('for a user of the sentinels without a password', () => {
    const toml = `[redis]\n${URL_LINE}\nsentinels = ["a:1"]\nsentinel_name = "m"\nsentinel_username = "u"`;
    expect(problemsOf(toml).map(({ key }) => key)).toEqual(['redis.sentinel_password']);
  });

  test.each([
    ['cert', 'key'],
    ['key', 'cert'],
  ])('for a %s without a %s', (given, missing) => {
    const toml = `[redis]\nurl = "rediss://redis.home"\n[redis.tls]\n${given} = "/x.pem"`;
    expect(problemsOf(toml).map(({ key }) => key)).toEqual([`redis.tls.${missing}`]);
  });

  test.each([
    'username = "u"\npassword = "hush"',
    'password = "hush"',
    'sentinels = ["a:1"]\nsentinel_name = "m"',
  ])('without a url, when it says how to reach it: %s', (toml) => {
    expect(problemsOf(`[redis]\n${toml}`).map(({ key }) => key)).toEqual(['redis.url']);
  });

  test('without showing a password', () => {
    using directory = configDirectory(
      '[redis]\nurl = "redis://h/99999"\nusername = "u"\npassword = "hush\\nhush"',
    );
    expect(directory.refusal().message).not.toContain('hush');
  });
});

describe('[redis] is taken', () => {
  test('whole, its files absolute and its passwords masked', () => {
    using directory = configDirectory(
      [
        '[redis]',
        'url = "rediss://redis.home/2"',
        'username = "postern"',
        'password = "hush"',
        'sentinels = ["10.0.0.7", "[fd00::7]:26380"]',
        'sentinel_name = "mymaster"',
        'sentinel_password = "hush as well"',
        '[redis.tls]',
        'ca = "ca.pem"',
        'server_name = "redis.example"',
      ].join('\n'),
    );
    const config = directory.load();
    expect(config.redis.tls?.ca).toBe(`${directory.path}/ca.pem`);
    const printed = printConfig(config);
    expect(printed).toContain('url = "rediss://redis.home/2"');
    expect(printed).not.toContain('hush');
  });

  test('from the environment, passwords from files', () => {
    using directory = configDirectory();
    const file = directory.write('password', 'from a file\n');
    const { redis } = directory.load({
      env: { POSTERN_REDIS_URL: 'redis://redis.home', POSTERN_REDIS_PASSWORD_FILE: file },
    });
    expect([redis.url, redis.password]).toEqual(['redis://redis.home', 'from a file']);
  });

  test('when it is empty: Redis is off', () => {
    expect(loaded('[redis]').redis.url).toBeUndefined();
    expect(loaded('').redis).toMatchObject({
      lookup_timeout: 1_000,
      heartbeat_interval: 2_000,
      heartbeat_timeout: 5_000,
      outbox_timeout: 2_000,
      consistency: 'strict',
      events_stream: 'postern:events',
      device_events_stream: 'postern:device-sessions',
    });
  });
});
