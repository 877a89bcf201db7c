import { describe, expect, test } from 'bun:test';
import { configDirectory } from '../../support/config-directory.ts';

const PROVIDER = {
  POSTERN_PROVIDER_HOME_ISSUER: 'https://id.example.com',
  POSTERN_PROVIDER_HOME_CLIENT_ID: 'postern',
};

test('what another command reads is no key, and no slip', () => {
  using directory = configDirectory();
  const env = { POSTERN_TOKEN: 'secret', POSTERN_SERVER: 'https://auth.example.com' };
  expect(directory.load({ env }).url).toStartWith('http');
});

describe('a variable', () => {
  test.each([
    ['POSTERN_SESSIONS_CACHE_SIZE', '5', { sessions: { cache_size: 5 } }],
    ['POSTERN_SIGN_IN_LANDING', '/home', { sign_in: { landing: '/home' } }],
    ['POSTERN_FORWARD_AUTH_TICKET_LIFETIME', '5s', { forward_auth: { ticket_lifetime: 5000 } }],
    ['POSTERN_DEMO', 'true', { demo: true }],
    ['POSTERN_DEMO', 'false', { demo: false }],
    ['POSTERN_TRUSTED_PROXIES', '10.0.0.2/32, fd00::/8', { trusted_proxies: ['10.0.0.2/32', 'fd00::/8'] }],
    ['POSTERN_TRUSTED_PROXIES', '', { trusted_proxies: [] }],
    ['POSTERN_LOG_LEVEL', 'debug', { log: { level: 'debug' } }],
  ])('%s=%s', (name, text, expected) => {
    using directory = configDirectory('trusted_proxies = ["192.0.2.0/24"]');
    expect(directory.load({ env: { [name]: text } })).toMatchObject(expected);
  });

  test.each([
    ['POSTERN_SESSIONS_CACHE_SIZE', 'many', 'sessions.cache_size', '"many"'],
    ['POSTERN_SESSIONS_CACHE_SIZE', '', 'sessions.cache_size', '""'],
    ['POSTERN_SESSIONS_CACHE_SIZE', '0x10', 'sessions.cache_size', '"0x10"'],
    ['POSTERN_SESSIONS_CACHE_TTL', '', 'sessions.cache_ttl', '""'],
    ['POSTERN_DEMO', '1', 'demo', '"1"'],
    ['POSTERN_URL', '', 'url', '""'],
    ['POSTERN_TRUSTED_PROXIES', '10.0.0.0/8,,', 'trusted_proxies[1]', '""'],
    ['POSTERN_LOG_LEVEL', 'Debug', 'log.level', '"Debug"'],
    ['POSTERN_SECRET', 'short', 'secret', 'a value that is not shown'],
  ])('%s=%s is refused', (name, text, key, found) => {
    using directory = configDirectory();
    const { problems } = directory.refusal({ env: { [name]: text } });
    expect(problems[0]).toMatchObject({ key, found, source: name });
  });

  test.each([
    ['POSTERN_LISEN', 'POSTERN_LISTEN'],
    ['POSTERN_CACHE_SIZE', undefined],
    ['POSTERN_SESSION_CACHE_SIZE', 'POSTERN_SESSIONS_CACHE_SIZE'],
    ['POSTERN_PROVIDER_HOME_CLIENT_SECRT', 'POSTERN_PROVIDER_HOME_CLIENT_SECRET'],
    ['POSTERN_PROVIDER_HOME_LAB_ISUER', 'POSTERN_PROVIDER_HOME_LAB_ISSUER'],
    ['POSTERN_PROVIDER_HOME_NAME', undefined],
    ['POSTERN_SECRT_FILE', 'POSTERN_SECRET_FILE'],
    ['POSTERN_FORWARD_AUTH_RULE_HOST', undefined],
    ['POSTERN___PROTO__', undefined],
    [`POSTERN_${'X'.repeat(1000)}`, undefined],
  ])('%s is not known', (name, nearest) => {
    using directory = configDirectory();
    const [problem] = directory.refusal({ env: { [name]: 'hush' } }).problems;
    expect(problem).toMatchObject({ found: undefined, expected: 'no key has this name' });
    if (nearest !== undefined) expect(problem?.nearest).toBe(nearest);
    expect(problem?.source.length).toBeLessThan(100);
  });

  test('of another case, or of another program, is nobody’s business', () => {
    using directory = configDirectory();
    const env = { postern_url: 'x', POSTERNX: 'x', HOME: '/', POSTERN_LISTEN: undefined };
    expect(directory.load({ env }).listen).toBe('127.0.0.1:7400');
  });

  test('that Kubernetes or Docker makes up for a service of our name is ignored', () => {
    using directory = configDirectory();
    const env = {
      POSTERN_SERVICE_HOST: '10.96.0.7',
      POSTERN_SERVICE_PORT: '7400',
      POSTERN_SERVICE_PORT_HTTP: '7400',
      POSTERN_PORT: 'tcp://10.96.0.7:7400',
      POSTERN_PORT_7400_TCP: 'tcp://10.96.0.7:7400',
      POSTERN_PORT_7400_TCP_PROTO: 'tcp',
      POSTERN_PORT_7400_TCP_PORT: '7400',
      POSTERN_PORT_7400_TCP_ADDR: '10.96.0.7',
    };
    expect(directory.load({ env }).url).toBe('http://localhost:7400');
    expect(directory.refusal({ env: { POSTERN_PORT: '7400' } }).problems).toHaveLength(1);
  });

  test('for a word and another for the table in its place contradict each other', () => {
    using directory = configDirectory('url = "https://a.example.com"');
    const env = { POSTERN_TLS_CERT: 'c', POSTERN_TLS: 'self-signed', POSTERN_TLS_KEY: 'k' };
    expect(directory.refusal({ env }).problems).toContainEqual(
      expect.objectContaining({
        key: 'tls',
        source: 'POSTERN_TLS',
        expected: expect.stringContaining('not both'),
      }),
    );
  });

  test('inside something that the file got wrong does not hide it', () => {
    using directory = configDirectory('sessions = 5');
    const { problems } = directory.refusal({ env: { POSTERN_SESSIONS_CACHE_SIZE: '7' } });
    expect(problems).toEqual([expect.objectContaining({ key: 'sessions', expected: 'a table [sessions]' })]);
  });

  test('of a new provider names it in what is missing', () => {
    using directory = configDirectory();
    const { problems } = directory.refusal({ env: PROVIDER });
    expect(problems.map(({ key }) => key)).toEqual(['provider.home.client_secret', 'provider.home.allow']);
    expect(problems[0]?.source).toBe('POSTERN_PROVIDER_HOME_ISSUER');
  });
});

describe('a variable that names a file', () => {
  test.each([
    ['hush', 'hush'],
    ['hush\n', 'hush'],
    ['hush\r\n', 'hush'],
    [' hush ', ' hush '],
  ])('%j gives %j', (content, value) => {
    using directory = configDirectory();
    directory.write('given', content);
    const env = {
      ...PROVIDER,
      POSTERN_PROVIDER_HOME_ALLOW: 'everyone',
      POSTERN_PROVIDER_HOME_CLIENT_SECRET_FILE: 'given',
    };
    expect(directory.load({ env }).provider[0]?.client_secret).toBe(value);
  });

  test('holds lists like the variable itself', () => {
    using directory = configDirectory();
    const path = directory.write('given', '10.0.0.2/32,10.0.0.3/32\n');
    expect(directory.load({ env: { POSTERN_TRUSTED_PROXIES_FILE: path } }).trusted_proxies).toHaveLength(2);
  });

  test('and the variable itself contradict each other', () => {
    using directory = configDirectory();
    directory.write('given', '127.0.0.1:1');
    const env = { POSTERN_LISTEN: '127.0.0.1:2', POSTERN_LISTEN_FILE: 'given' };
    expect(directory.refusal({ env }).problems).toEqual([
      expect.objectContaining({
        key: 'listen',
        expected: 'expected POSTERN_LISTEN or POSTERN_LISTEN_FILE, not both',
      }),
    ]);
  });

  test.each([
    ['missing', 'there is no such file'],
    ['.', 'it is a directory'],
    ['postern.toml/x', 'there is no such file'],
    ['binary', 'not UTF-8'],
    ['/dev/zero', 'larger than'],
  ])('%s cannot be read', (name, reason) => {
    using directory = configDirectory('demo = true');
    directory.write('binary', Uint8Array.of(0xff, 0xfe, 0x80));
    const [problem] = directory.refusal({ env: { POSTERN_SECRET_FILE: name } }).problems;
    expect(problem).toMatchObject({ key: 'secret', source: 'POSTERN_SECRET_FILE' });
    expect(problem?.expected).toContain(reason);
  });

  test('is never shown, whatever it was for', () => {
    using directory = configDirectory();
    directory.write('given', 'hush');
    const error = directory.refusal({ env: { POSTERN_LISTEN_FILE: 'given' } });
    expect(error.problems[0]?.found).toBe('a value that is not shown');
    expect(error.message).not.toContain('hush');
  });

  test('is not for keys that are the name of a file already', () => {
    using directory = configDirectory();
    directory.write('key.pem', '-----BEGIN PRIVATE KEY-----');
    const { problems } = directory.refusal({ env: { POSTERN_TLS_KEY_FILE: 'key.pem' } });
    expect(problems).toEqual([
      expect.objectContaining({
        key: 'tls.key',
        expected: expect.stringContaining('expected POSTERN_TLS_KEY:'),
      }),
    ]);
  });
});
