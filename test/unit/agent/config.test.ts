import { describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentFlags, loadAgentConfig } from '../../../src/agent/config.ts';
import { temporaryDirectory } from '../../support/database.ts';

function load(toml: string | undefined, flags: AgentFlags = {}) {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'agent.toml');
  if (toml !== undefined) writeFileSync(path, toml);
  writeFileSync(join(directory.path, 'ca.pem'), 'certificates');
  return loadAgentConfig(path, flags, directory.path);
}

const faultsOf = (toml: string, flags?: AgentFlags): string => {
  try {
    load(toml, flags);
  } catch (error) {
    if (error instanceof Error && 'exitCode' in error && error.exitCode === 2) return error.message;
    throw error;
  }
  throw new Error('nothing was wrong');
};

describe('what is understood', () => {
  test('no file at all: no services, and the timers of the reference', () => {
    const { services, tunnel, limits } = load(undefined);
    expect(services.size).toBe(0);
    expect(tunnel).toEqual({
      heartbeat_interval: 20_000,
      heartbeat_timeout: 10_000,
      connect_timeout: 15_000,
      backoff_min: 500,
      backoff_max: 30_000,
      stable_after: 10_000,
      drain_timeout: 10_000,
    });
    expect(limits.streams).toBe(1_024);
  });

  test('services in short and at length', () => {
    const { services } = load(`[services]
web = "http://127.0.0.1:8080"
ssh = "tcp://[::1]:22"
nas = { target = "https://nas.lan", host = "nas.lan:5001", ca = "ca.pem", verify = false }
plain = "HTTP://Router.LAN"
`);
    expect(Object.fromEntries(services)).toEqual({
      web: {
        kind: 'http',
        hostname: '127.0.0.1',
        port: 8080,
        origin: 'http://127.0.0.1:8080',
        host: undefined,
        tls: undefined,
      },
      ssh: { kind: 'tcp', hostname: '::1', port: 22, origin: 'tcp://[::1]:22' },
      nas: {
        kind: 'http',
        hostname: 'nas.lan',
        port: 443,
        origin: 'https://nas.lan:443',
        host: 'nas.lan:5001',
        tls: { serverName: 'nas.lan', ca: 'certificates', verify: false },
      },
      plain: {
        kind: 'http',
        hostname: 'router.lan',
        port: 80,
        origin: 'http://router.lan:80',
        host: undefined,
        tls: undefined,
      },
    });
  });

  test('flags add to the file, and win over it', () => {
    const toml = 'name = "pi"\n[labels]\nroom = "attic"\n[services]\nweb = "http://127.0.0.1:1"\n';
    const config = load(toml, {
      name: 'kitchen',
      services: ['web=http://127.0.0.1:2', 'ssh=tcp://127.0.0.1:22'],
      labels: ['floor=1', 'room=kitchen'],
      ca: 'ca.pem',
    });
    expect(config).toMatchObject({
      name: 'kitchen',
      labels: { room: 'kitchen', floor: '1' },
      ca: 'certificates',
    });
    expect([...config.services].map(([name, { port }]) => [name, port])).toEqual([
      ['web', 2],
      ['ssh', 22],
    ]);
  });
});

describe('what is refused, with exit 2', () => {
  test.each([
    ['a path', 'web = "http://127.0.0.1:80/admin"'],
    ['a query', 'web = "http://127.0.0.1:80?x"'],
    ['a user', 'web = "http://me@127.0.0.1:80"'],
    ['no port where there is no usual one', 'web = "tcp://127.0.0.1"'],
    ['port 0', 'web = "http://127.0.0.1:0"'],
    ['a port that is none', 'web = "http://127.0.0.1:70000"'],
    ['another scheme', 'web = "ftp://127.0.0.1:21"'],
    ['no address', 'web = "8080"'],
    ['a number', 'web = 8080'],
    ['a table without a target', 'web = { host = "x" }'],
  ])('a target with %s', (_what, line) => {
    expect(faultsOf(`[services]\n${line}\n`)).toContain('services.web');
  });

  test.each(['Web', 'a--b', '-a', 'a.b', 'xn', 'x'.repeat(32)])('the name %s', (name) => {
    expect(faultsOf(`[services]\n"${name}" = "http://127.0.0.1:80"\n`)).toContain('lower-case letters');
    expect(faultsOf('', { services: [`${name}=http://127.0.0.1:80`] })).toContain('lower-case letters');
  });

  test.each([
    ['a key that there is not', 'servces = 1', 'did you mean services?'],
    ['one in a table', '[tunnel]\nheartbeat = "1s"', 'there is no such key'],
    ['a duration of zero', '[tunnel]\nbackoff_min = "0s"', 'a duration above zero'],
    ['a count of zero', '[limits]\nstreams = 0', 'a whole number from 1'],
    ['what is no TOML', 'a = ', 'not TOML'],
    ['certificates that are not there', 'ca = "/nowhere.pem"', 'there is no such file'],
  ])('%s', (_what, toml, complaint) => {
    expect(faultsOf(toml)).toContain(complaint);
  });

  test('flags without a value, and every problem at once', () => {
    const message = faultsOf('[limits]\nstreams = -1\n', { services: ['web'], labels: ['=x'], ca: '/no' });
    for (const part of ['4 problems', '--service', '--label', '--ca', 'limits.streams'])
      expect(message).toContain(part);
  });
});
