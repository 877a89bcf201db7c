import { describe, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../../src/lib/app-error.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { LogFields, Logger } from '../../../src/lib/log.ts';
import { childUids } from '../../../src/mcp/child-uids.ts';
import type { Isolation } from '../../../src/mcp/isolation.ts';
import { childLauncher } from '../../../src/mcp/launcher.ts';
import { endLeftovers } from '../../../src/mcp/leftovers.ts';
import type { StdioBackend, StdioTransport } from '../../../src/mcp/model.ts';
import { MARKER_VARIABLE, spawnRecords } from '../../../src/mcp/spawn-records.ts';
import type { UserId } from '../../../src/users/model.ts';
import { temporaryDatabase } from '../../support/database.ts';
import { isolationCases, isRunning, LASTING, processesWith } from '../../support/mcp-children.ts';
import { aPerson } from '../../support/person.ts';
import { until } from '../../support/until.ts';

const ADA = aPerson({ id: 'usr_ada' as UserId });

const backend = (transport: Partial<StdioTransport>): StdioBackend => ({
  name: 'files',
  resource: 'https://auth.example.com/mcp/files',
  scope: 'mcp:files',
  provider: undefined,
  sharing: 'grant',
  tools: { allow: undefined, deny: [] },
  messageBytes: 100_000,
  limits: { childrenPerUser: 4, children: 16, queue: 64, startTimeoutMs: 5_000 },
  transport: {
    kind: 'stdio',
    argv: ['/bin/cat'],
    env: {},
    isolation: 'none',
    cache: undefined,
    ...transport,
  },
  mayUse: () => true,
});
const shell = (script: string): StdioTransport['argv'] => ['/bin/sh', '-c', script];

interface Given {
  accessToken?: string;
  secrets?: Record<string, string>;
}

function opened(isolation?: Isolation) {
  const database = temporaryDatabase(systemClock);
  const entries: { message: string; fields: LogFields }[] = [];
  const note = (message: string, fields: LogFields = {}) => void entries.push({ message, fields });
  const log: Logger = { debug: note, info: note, warn: note, error: note };
  const { db } = database;
  const records = spawnRecords({ db, clock: systemClock, log });
  const launcher = childLauncher({
    clock: systemClock,
    log,
    records,
    isolation,
    uids: childUids({ first: 0x7100_0000, count: 1_000 }),
    ladder: { inputClosedMs: 2_000, terminatedMs: 2_000 },
    environment: { PATH: '/usr/bin:/bin' },
    home: '/root',
  });
  const launch = async (transport: Partial<StdioTransport>, { accessToken, secrets = {} }: Given = {}) => {
    const lines: string[] = [];
    const child = await launcher.launch({
      backend: backend(transport),
      user: ADA,
      values: { user: ADA, accessToken, secret: (name) => secrets[name] },
      onLine: (line) => lines.push(line),
      onLong: () => undefined,
    });
    return { child, lines };
  };
  return {
    db,
    records,
    entries,
    launch,
    leftovers: () => endLeftovers({ db, store: records.store, clock: systemClock, log }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

const codeOf = (error: unknown) =>
  error instanceof AppError ? `${error.kind} ${error.code}` : String(error);

describe('what a child is started with', () => {
  test('an environment from nothing: what is passed on, what the backend says, a marker', async () => {
    await using it = opened();
    process.env['POSTERN_TEST_HUSH'] = 'hush';
    const env = { TOKEN: 'Bearer ${upstream.access_token}', PAT: '${secret.PAT}', WHO: '${user.username}' };
    const { child, lines } = await it.launch(
      { argv: ['/usr/bin/env'], env },
      { accessToken: 'at-1', secrets: { PAT: 'pat-1' } },
    );
    await child.exited;
    delete process.env['POSTERN_TEST_HUSH'];
    const names = lines.map((line) => line.split('=')[0] ?? '').toSorted();
    expect(names).toEqual(['HOME', 'PAT', 'PATH', MARKER_VARIABLE, 'TOKEN', 'WHO']);
    expect(lines).toContain('TOKEN=Bearer at-1');
    expect(lines).toContain('PAT=pat-1');
    expect(lines).toContain('WHO=ada');
  });

  test.each([
    ['TOKEN', '${upstream.access_token}', 'forbidden mcp_not_linked'],
    ['PAT', '${secret.PAT}', 'forbidden mcp_secret_missing'],
  ])('without what %s stands for it is not started', async (name, template, code) => {
    await using it = opened();
    const failure = await it.launch({ env: { [name]: template } }).catch((error: unknown) => error);
    expect(codeOf(failure)).toBe(code);
    expect(it.records.store.all()).toEqual([]);
  });

  test('a program that is not there is told to the log, and leaves nothing', async () => {
    await using it = opened();
    const failure = await it.launch({ argv: ['/nowhere/at/all'] }).catch((error: unknown) => error);
    expect(codeOf(failure)).toBe('unavailable mcp_start_failed');
    expect(it.entries.map(({ message }) => message)).toEqual(['an MCP server could not be started']);
    await until('its record is gone', () => it.records.store.all().length === 0);
  });

  test('what it writes to its error output is in the log, without the secrets', async () => {
    await using it = opened();
    const { child } = await it.launch(
      {
        argv: shell('echo "token $TOKEN, key $API_KEY, at $SERVER" >&2'),
        env: { TOKEN: '${upstream.access_token}', API_KEY: 'literal-key', SERVER: 'https://x.example' },
      },
      { accessToken: 'at-secret' },
    );
    await child.exited;
    expect(JSON.stringify(it.entries)).toContain('token (hidden), key (hidden), at https://x.example');
    expect(JSON.stringify(it.entries)).not.toContain('at-secret');
  });
});

describe.each(isolationCases())('isolated by $name', (isolationCase) => {
  test('it begins in its own /tmp, which is its home, and keeps its cache there', async () => {
    const cache = mkdtempSync(join(LASTING, '.test-cache-'));
    chmodSync(cache, 0o777);
    try {
      await using it = opened(isolationCase.make([]));
      const script = 'pwd; echo "$HOME $TMPDIR $XDG_CACHE_HOME $npm_config_cache"';
      const { child, lines } = await it.launch({
        argv: shell(script),
        isolation: 'auto',
        // Made by us, and for another account's bubblewrap out of reach.
        cache: isolationCase.account === undefined ? cache : undefined,
      });
      await child.exited;
      const caches = isolationCase.account === undefined ? '/tmp/.cache /tmp/.cache/npm' : ' ';
      expect(lines).toEqual(['/tmp', `/tmp /tmp ${caches}`]);
    } finally {
      rmSync(cache, { recursive: true });
    }
  });
});

test('a program that stands in /tmp, found through PATH or by its name, runs isolated too', async () => {
  const [first] = isolationCases();
  if (first === undefined) throw new Error('there is no way of isolation');
  const directory = mkdtempSync('/tmp/postern-test-');
  chmodSync(directory, 0o755);
  writeFileSync(join(directory, 'server'), '#!/bin/sh\n. "${0%/*}/beside"\n', { mode: 0o755 });
  writeFileSync(join(directory, 'beside'), 'echo found', { mode: 0o644 });
  try {
    await using it = opened(first.make([]));
    for (const argv of [[join(directory, 'server')], ['server']] as const) {
      const { child, lines } = await it.launch({
        argv,
        env: { PATH: `${directory}:/usr/bin:/bin` },
        isolation: 'auto',
      });
      await child.exited;
      expect(lines).toEqual(['found']);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

describe('what is left behind', () => {
  test('a child has a record while it runs, with its process group and start', async () => {
    await using it = opened();
    const { child } = await it.launch({});
    await until('the record is complete', () => it.records.store.all()[0]?.leader !== undefined);
    expect(it.records.store.all()).toMatchObject([{ backend: 'files', leader: { processGroup: child.pid } }]);
    await child.end();
    await until('the record is gone', () => it.records.store.all().length === 0);
  });

  test('without isolation what went its own way is ended with the child', async () => {
    await using it = opened();
    const mark = crypto.randomUUID();
    const { child, lines } = await it.launch({
      argv: shell('(setsid sh -c "setsid sleep 300 > /dev/null 2>&1 &" &); echo ready; cat'),
      env: { MARK: mark },
    });
    await until('it is ready', () => lines.includes('ready') && processesWith(mark).length > 1);
    await child.end();
    await until('all of it is gone', () => processesWith(mark).length === 0);
  });

  test('of an earlier life: the group of a recorded leader, and whoever carries its marker', async () => {
    await using it = opened();
    const marker = await it.records.begin('files');
    const script =
      'trap "" TERM HUP PIPE; (setsid sh -c "setsid sleep 300 &" &); while :; do sleep 0.1; done';
    const stray = Bun.spawn(['/bin/sh', '-c', script], {
      env: { PATH: '/usr/bin:/bin', [MARKER_VARIABLE]: marker },
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    it.records.started(marker, stray.pid);
    await until('it has forked', () => processesWith(marker).length >= 3);
    expect(await it.leftovers()).toBeGreaterThanOrEqual(3);
    expect(processesWith(marker)).toEqual([]);
    expect(it.records.store.all()).toEqual([]);
    await stray.exited;
  });

  test('a leader that hid its environment is found by pid, start and boot; a stranger with the same pid is spared', async () => {
    await using it = opened();
    const stray = Bun.spawn(['/bin/sleep', '300'], {
      env: {},
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const marker = await it.records.begin('files');
    await it.db.write((tx) =>
      it.records.store.setLeader(tx, marker, { processGroup: stray.pid, startTicks: '1', bootId: 'another' }),
    );
    expect(await it.leftovers()).toBe(0);
    expect(isRunning(stray.pid)).toBe(true);

    const second = await it.records.begin('files');
    it.records.started(second, stray.pid);
    await until('the record is complete', () => it.records.store.all()[0]?.leader !== undefined);
    expect(await it.leftovers()).toBe(1);
    await stray.exited;
  });

  test('nobody else’s process is touched, whatever it calls itself', async () => {
    await using it = opened();
    await it.records.begin('files');
    const other = Bun.spawn(['/bin/sleep', '300'], {
      env: { [MARKER_VARIABLE]: 'chd_other' },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    expect(await it.leftovers()).toBe(0);
    expect(isRunning(other.pid)).toBe(true);
    other.kill();
    await other.exited;
  });
});

test('a launch whose record cannot be written starts nothing', async () => {
  const it = opened();
  const mark = join('/tmp', `never-${crypto.randomUUID()}`);
  await it[Symbol.asyncDispose]();
  const failure = await it.launch({ argv: ['/usr/bin/touch', mark] }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Error);
  expect(() => writeFileSync(mark, '', { flag: 'wx' })).not.toThrow();
  rmSync(mark);
});
