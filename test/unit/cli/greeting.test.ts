import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { greet, greetingLines, thisMachine } from '../../../src/cli/serve/greeting.ts';
import { partLines } from '../../../src/cli/serve/part-lines.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { recordingIo } from '../../support/recording-io.ts';

const started = { url: 'http://localhost:7400', listen: '127.0.0.1:7400' };
const setupLink = 'http://localhost:7400/setup#the-secret';
const pairingLink = 'http://localhost:7400/pair#the-token';
const demo = { username: 'demo', password: 'abcd-efgh', pairingLink };
const configAt = (data_dir: string) => configSchema.parse({ data_dir });

describe('the first lines', () => {
  test('need no name of the user: a container may run under a number that has none', () => {
    expect(thisMachine(() => ({ username: 'ada' }))).toStartWith('ada@');
    expect(thisMachine(() => ({ username: 'unknown' }))).toStartWith('you@');
    const nameless = () => {
      throw new Error('ENOENT: uv_os_homedir');
    };
    expect(thisMachine(nameless)).toStartWith('you@');
  });

  test('say where it is, and how another machine gets there', () => {
    expect(greetingLines(started, { data_dir: '/data', tls: undefined }, 'ada@pi')).toEqual([
      'Postern is ready at http://localhost:7400',
      '  data: /data',
      '  from another machine: run this there, then open the same address',
      '    ssh -L 7400:127.0.0.1:7400 ada@pi',
    ]);
  });

  test.each([
    ['http://localhost', '127.0.0.1:7400', 'ssh -L 80:127.0.0.1:7400 ada@pi'],
    ['https://pi.localhost', '[::1]:7443', 'ssh -L 443:[::1]:7443 ada@pi'],
  ])('forward the port of %s', (url, listen, line) => {
    expect(greetingLines({ url, listen }, { data_dir: '/data', tls: undefined }, 'ada@pi').at(-1)).toBe(
      `    ${line}`,
    );
  });

  test('of a public address forward nothing, and show a certificate of its own', () => {
    const lines = greetingLines(
      { url: 'https://auth.example.com', listen: '0.0.0.0:443', fingerprint: 'AB:CD' },
      { data_dir: '/data', tls: 'self-signed' },
      'ada@pi',
    ).join('\n');
    expect(lines).not.toContain('ssh');
    expect(lines).toContain('certificate: SHA-256 AB:CD');
    expect(lines).toContain('compare');
  });
});

describe('what lets people in', () => {
  test('is shown on a terminal, and written nowhere', () => {
    using directory = temporaryDirectory();
    const io = recordingIo({ outIsTerminal: true });
    greet({ ...started, setupLink, demo }, configAt(directory.path), io);
    expect(io.outText()).toContain(`\n  ${setupLink}\n`);
    expect(io.outText()).toContain('\n  abcd-efgh\n');
    expect(io.outText()).toContain(`\n  postern agent --join "${pairingLink}"\n`);
    expect(io.errText()).toBe('');
    expect(readdirSync(directory.path)).toEqual([]);
  });

  test('goes into private files where standard output may be a log', () => {
    using directory = temporaryDirectory();
    const io = recordingIo();
    greet({ ...started, setupLink, demo }, configAt(directory.path), io);
    expect(io.outText()).not.toContain('the-secret');
    expect(io.outText()).not.toContain('abcd-efgh');
    expect(io.outText()).not.toContain('the-token');
    for (const [name, content] of [
      ['setup-link', setupLink],
      ['demo-password', 'abcd-efgh'],
      ['demo-pairing', `postern agent --join "${pairingLink}"`],
    ] as const) {
      const path = join(directory.path, name);
      expect(io.outText()).toContain(path);
      expect(readFileSync(path, 'utf8')).toBe(`${content}\n`);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
  });

  test('of an earlier start is replaced, and goes when there is nothing to tell', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'setup-link');
    writeFileSync(path, 'old', { mode: 0o644 });
    greet({ ...started, setupLink }, configAt(directory.path), recordingIo());
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual([`${setupLink}\n`, 0o600]);
    greet(started, configAt(directory.path), recordingIo());
    expect(readdirSync(directory.path)).toEqual([]);
  });
});

describe('optional parts', () => {
  test('are off with the key that turns them on', () => {
    expect(partLines(configSchema.parse({}))).toEqual([
      { part: 'sign-in through providers', key: 'provider' },
      { part: 'linked accounts', key: 'upstream.provider' },
      { part: 'forward-auth', key: 'forward_auth.rule' },
      { part: 'MCP', on: 'whoami (built in)' },
      { part: 'hosts of devices', on: 'devices.localhost:7400' },
      { part: 'trusted proxies', key: 'trusted_proxies' },
      { part: 'TLS', key: 'tls' },
      { part: 'API for other origins', key: 'cors.allowed_origins' },
      { part: 'Redis', key: 'redis.url' },
      { part: 'demo', key: 'demo' },
    ]);
  });

  test('are on with what for, and without secrets', () => {
    const lines = partLines(
      configSchema.parse({
        trusted_proxies: ['127.0.0.1/32'],
        demo: true,
        tls: { cert: '/c.pem', key: '/k.pem' },
        provider: [
          {
            name: 'home',
            issuer: 'https://id.test',
            client_id: 'c',
            client_secret: 'hush',
            allow: 'everyone',
          },
        ],
        upstream: {
          provider: [
            {
              name: 'forge',
              kind: 'forgejo',
              issuer: 'https://git.test',
              client_id: 'c',
              client_secret: 'hush',
            },
            { name: 'code', kind: 'github', client_id: 'c', client_secret: 'hush' },
          ],
        },
        mcp: [
          { name: 'files', command: ['/opt/files', '--key=hush'], allow: 'everyone' },
          { name: 'far', url: 'https://mcp.test/hush?key=hush', allow: 'everyone' },
        ],
        forward_auth: {
          rule: [
            { host: 'a.test', allow: 'everyone' },
            { host: 'a.test', path: '/x', allow: 'public' },
          ],
        },
        devices: { base: 'devices.home.test' },
        cors: { allowed_origins: ['https://app.test'] },
        redis: { url: 'rediss://redis.test/2', username: 'u', password: 'hush' },
      }),
    );
    expect(lines.map((line) => ('on' in line ? line.on : line))).toEqual([
      'home (https://id.test)',
      'forge (https://git.test), code (github)',
      'a.test',
      'files (/opt/files), far (https://mcp.test)',
      'devices.home.test',
      '127.0.0.1/32',
      '/c.pem',
      'https://app.test',
      'redis.test:6379, database 2, TLS',
      'a demo user',
    ]);
    expect(JSON.stringify(lines)).not.toContain('hush');
  });
});
