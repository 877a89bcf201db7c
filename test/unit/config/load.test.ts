import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { configDirectory } from '../../support/config-directory.ts';

const PROVIDER = `
[[provider]]
name = "home"
issuer = "https://id.example.com"
client_id = "postern"
client_secret = "from the file"
allow = "everyone"
`;

test('nothing at all is a configuration', () => {
  using directory = configDirectory();
  const config = directory.load();
  expect(config.url).toBe('http://localhost:7400');
  expect(config.listen).toBe('127.0.0.1:7400');
  expect(config.data_dir).toBe(join(directory.path, 'postern-data'));
  expect(config.sessions.idle_timeout).toBe(24 * 3_600_000);
  expect(config.sessions.cache_size).toBe(50_000);
  expect(config.provider).toEqual([]);
  expect(config.secret).toBeUndefined();
});

test('flags win over the environment, the environment over the file', () => {
  using directory = configDirectory('[sessions]\ncache_size = 1\ncache_ttl = "1m"\ntouch_interval = "1s"');
  const { sessions } = directory.load({
    env: { POSTERN_SESSIONS_CACHE_SIZE: '2', POSTERN_SESSIONS_CACHE_TTL: '2m' },
    argv: ['--sessions.cache-size', '3'],
  });
  expect(sessions).toMatchObject({ cache_size: 3, cache_ttl: 120_000, touch_interval: 1000 });
});

test('durations come back in milliseconds', () => {
  using directory = configDirectory('[http]\nhead_timeout = "250ms"\ndrain_timeout = "1.5s"');
  expect(directory.load().http).toMatchObject({ head_timeout: 250, drain_timeout: 1500 });
});

test('relative paths begin at the working directory', () => {
  using directory = configDirectory(
    'url = "https://a.example.com"\ndata_dir = "data"\ntls = { cert = "c.pem", key = "/k.pem" }',
  );
  const { data_dir, tls } = directory.load();
  expect(data_dir).toBe(join(directory.path, 'data'));
  expect(tls).toEqual({ cert: join(directory.path, 'c.pem'), key: '/k.pem' });
});

test('url comes back as browsers write an origin', () => {
  using directory = configDirectory('url = "HTTPS://Auth.Example.com:443/"');
  expect(directory.load().url).toBe('https://auth.example.com');
});

test.each(['http://localhost:7400', 'http://auth.localhost', 'http://127.0.0.1:1', 'http://[::1]:7400'])(
  'http is fine on loopback: %s',
  (url) => {
    using directory = configDirectory(`url = "${url}"`);
    expect(directory.load().url).toBe(url);
  },
);

test.each(['localhost:1', '127.0.0.5:1', '[::1]:1', '127.0.0.1:0'])(
  '%s is a loopback address to listen on',
  (listen) => {
    using directory = configDirectory(`listen = "${listen}"`);
    expect(directory.load().listen).toBe(listen);
  },
);

test('two free ports do not meet', () => {
  using directory = configDirectory('listen = "127.0.0.1:0"\nmetrics_listen = "127.0.0.1:0"');
  expect(directory.load().metrics_listen).toBe('127.0.0.1:0');
});

test('an https url without tls is the usual thing behind a proxy, on any address', () => {
  using directory = configDirectory('url = "https://auth.example.com"\nlisten = "0.0.0.0:7400"');
  expect(directory.load().tls).toBeUndefined();
});

test('a byte order mark and Windows line ends do no harm', () => {
  using directory = configDirectory('\ufeffdemo = true\r\n[sessions]\r\ncache_size = 7\r\n');
  expect(directory.load()).toMatchObject({ demo: true, sessions: { cache_size: 7 } });
});

test('--config and POSTERN_CONFIG name the file, and the flag wins', () => {
  using directory = configDirectory('[sessions]\ncache_size = 1');
  directory.write('two.toml', '[sessions]\ncache_size = 2');
  const three = directory.write('three.toml', '[sessions]\ncache_size = 3');
  const env = { POSTERN_CONFIG: 'two.toml' };
  expect(directory.load({ env }).sessions.cache_size).toBe(2);
  expect(directory.load({ env, argv: [`--config=${three}`] }).sessions.cache_size).toBe(3);
});

test('a provider may be overridden by name, and one that the file lacks is made', () => {
  using directory = configDirectory(PROVIDER);
  const { provider } = directory.load({
    env: {
      POSTERN_PROVIDER_HOME_CLIENT_SECRET: 'from the environment',
      POSTERN_PROVIDER_HOME_ALLOW_EMAILS: 'ada@example.com, bob@example.com',
      POSTERN_PROVIDER_WORK_LAB_ISSUER: 'https://work.example.com',
      POSTERN_PROVIDER_WORK_LAB_CLIENT_ID: 'w',
      POSTERN_PROVIDER_WORK_LAB_CLIENT_SECRET: 's',
      POSTERN_PROVIDER_WORK_LAB_ALLOW: 'everyone',
    },
    argv: ['--provider.work-lab.label', 'Work'],
  });
  const [home, work] = provider;
  expect(home?.client_secret).toBe('from the environment');
  expect(home?.allow).toEqual({
    subjects: [],
    emails: ['ada@example.com', 'bob@example.com'],
    domains: [],
    groups: [],
  });
  expect(work).toMatchObject({ name: 'work-lab', label: 'Work', issuer: 'https://work.example.com' });
});

test('a word from above takes the place of a table below', () => {
  using directory = configDirectory('url = "https://a.example.com"\ntls = { cert = "c", key = "k" }');
  expect(directory.load({ env: { POSTERN_TLS: 'self-signed' } }).tls).toBe('self-signed');
});

test('GitHub needs no issuer', () => {
  using directory = configDirectory(PROVIDER.replace('issuer = "https://id.example.com"', 'kind = "github"'));
  expect(directory.load().provider[0]?.issuer).toBeUndefined();
});

test('rules of one host may differ by path', () => {
  using directory = configDirectory(`
    trusted_proxies = ["10.0.0.0/8", "fd00::/8", "192.0.2.1"]
    [[forward_auth.rule]]
    host = "app.localhost:8443"
    allow = "everyone"
    [[forward_auth.rule]]
    host = "app.localhost:8443"
    path = "/public/files"
    allow = "public"
    allowed_origins = ["https://other.home"]
  `);
  expect(directory.load().forward_auth.rule.map(({ path }) => path)).toEqual(['/', '/public/files']);
});
