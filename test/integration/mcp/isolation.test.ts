import { afterAll, describe, expect, test } from 'bun:test';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../src/lib/clock.ts';
import { CommandError } from '../../../src/lib/command-error.ts';
import { cacheOf } from '../../../src/mcp/child-cache.ts';
import { chooseIsolation, tryIsolations } from '../../../src/mcp/choose-isolation.ts';
import { hiddenPaths } from '../../../src/mcp/hidden-paths.ts';
import type { UserId } from '../../../src/users/model.ts';
import {
  isolationCases,
  isRunning,
  LASTING,
  processesWith,
  secretDirectory,
  startChild,
  TOOLS,
  takeUid,
} from '../../support/mcp-children.ts';
import { until } from '../../support/until.ts';

const shell = (script: string, ...args: string[]) => ['/bin/sh', '-c', script, 'seeker', ...args] as const;
const IS_ROOT = process.getuid?.() === 0;
const CASES = isolationCases();

/** Looks everywhere it can think of, and prints what it finds. */
const SEEKER = `
data=$1 pid=$2 config=$3
cat -- "$data"/* "$config" /proc/"$pid"/root"$data"/* 2>/dev/null
for each in /proc/[0-9]*; do
  tr '\\0' '\\n' < "$each/environ"
  cat "$each/cmdline" "$each/fd/"*".txt"
done 2>/dev/null
head -c 100 "/proc/$pid/mem" 2>/dev/null
grep -rs "$4" /tmp /var/tmp /run /dev/shm 2>/dev/null
kill -9 "$pid" 2>/dev/null && [ "$pid" -gt 100 ] && echo 'killed it'
touch "$data/planted" /planted /etc/planted "$HOME/../planted" 2>/dev/null && echo planted
umount "$data" 2>/dev/null && cat "$data"/*
unshare -Urm sh -c 'umount "$0" && cat "$0"/*' "$data" 2>/dev/null
unshare -Urm sh -c 'mount --bind / /mnt && cat /mnt"$0"/*' "$data" 2>/dev/null
mount -o remount,rw / 2>/dev/null && echo 'made / writable'
echo
echo done
cat > /dev/null
`;

describe.each(CASES)('$name', (isolationCase) => {
  const { account } = isolationCase;
  const isolationOf = (own: readonly string[]) => isolationCase.make(own);

  test('a child that goes looking finds nothing: no data, no configuration, no memory, no sibling’s token', async () => {
    /** Of this run alone: the sources of this test may themselves stand in a place that children can see. */
    const mark = `hush-${crypto.randomUUID()}`;
    using data = secretDirectory(account);
    const config = join(data.path, '..', `.test-config-${crypto.randomUUID()}`);
    writeFileSync(config, `client_secret = "${mark}-config"`, { mode: 0o644 });
    try {
      const isolation = isolationOf([data.path, config]);
      await using sibling = startChild({
        argv: shell('echo ready; cat'),
        env: { TOKEN: `${mark}-sibling` },
        isolation,
      });
      await sibling.printed('ready');
      process.env['POSTERN_TEST_HUSH'] = `${mark}-appliance`;
      await using seeker = startChild({
        argv: shell(SEEKER, data.path, String(process.pid), config, mark),
        env: { TOKEN: 'own-token', HOME: '/tmp' },
        isolation,
      });
      await seeker.printed('done');
      const found = seeker.lines.join('\n').replaceAll('\0', ' ');
      expect(found).toContain('TOKEN=own-token');
      expect(found).not.toContain(data.secret);
      // Its own command line ends in the word.
      const foreign = found.replaceAll(`${config} ${mark}`, '');
      expect(foreign).not.toContain(mark);
      expect(foreign).not.toContain(`\nplanted`);
      expect(foreign).not.toMatch(/^(killed it|made \/ writable)$/m);
      expect(
        existsSync(join(data.path, 'planted')) || existsSync('/planted') || existsSync('/etc/planted'),
      ).toBe(false);
      expect(isRunning(sibling.child.pid)).toBe(true);
    } finally {
      delete process.env['POSTERN_TEST_HUSH'];
      rmSync(config);
    }
  });

  test('it has no capabilities, no way to any, processes and shared memory of its own, and its own /tmp', async () => {
    const isolation = isolationOf([]);
    const facts =
      'grep -E "^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs):" /proc/self/status; echo "uid $(id -u)"; echo "sees $(ls -d /proc/[0-9]* | wc -l)"; touch /tmp/mine; ls -A /tmp; echo done; cat';
    await using child = startChild({ argv: shell(facts), isolation });
    await child.printed('done');
    const text = child.lines.join('\n');
    expect(text.match(/^Cap\w+:\s+0+$/gm)).toHaveLength(5);
    expect(text).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(Number(/^sees (\d+)$/m.exec(text)?.[1])).toBeLessThan(10);
    expect(text).toContain('\nmine\ndone');
    expect(existsSync('/tmp/mine')).toBe(false);
    const namespaces = (pid: number | 'self') =>
      ['pid', 'mnt', 'ipc'].map((name) => readlink(`/proc/${pid}/ns/${name}`));
    const inner = processesWith('PATH=/usr/local/bin:/usr/bin:/bin').find(
      (pid) => readlink(`/proc/${pid}/ns/pid`) !== readlink('/proc/self/ns/pid'),
    );
    if (inner !== undefined) expect(namespaces(inner)).not.toEqual(namespaces('self'));
  });

  test('it reaches the network', async () => {
    using server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('here') });
    const isolation = isolationOf([]);
    const script = `require('http').get('http://127.0.0.1:${server.port}/', (r) => r.on('data', (d) => console.log(String(d))))`;
    await using child = startChild({
      argv: ['/usr/bin/node', '-e', script],
      env: { HOME: '/tmp' },
      isolation,
    });
    await child.printed('here');
  });

  test('node and npx run: what they write goes into the private /tmp', async () => {
    const isolation = isolationOf([]);
    await using child = startChild({
      argv: ['/usr/bin/npx', '--offline', '--yes', '-c', 'echo from npx; ls -d /tmp/.npm'],
      env: { HOME: '/tmp' },
      isolation,
    });
    await child.child.exited;
    expect(child.lines).toEqual(['from npx', '/tmp/.npm']);
  });

  test('a cache is the one place that lasts, and is its person’s alone', async () => {
    const root = mkdtempSync(join(LASTING, '.test-cache-'));
    try {
      const isolation = isolationOf([]);
      const uid = takeUid(isolation) ?? account;
      const ada = cacheOf({ cache: root, name: 'files' }, 'usr_ada' as UserId, uid);
      const bob = cacheOf({ cache: root, name: 'files' }, 'usr_bob' as UserId, uid);
      if (account !== undefined)
        for (const each of [root, join(root, 'files')]) chownSync(each, account, account);
      writeFileSync(join(bob, 'bobs'), 'x', { mode: 0o666 });
      const script =
        'echo kept > "$HOME/.cache/kept" && echo written; touch "$1/planted" "$2/planted" 2>/dev/null && echo planted; exit 0';
      const wrapped = {
        ...isolation,
        wrap: (request: Parameters<typeof isolation.wrap>[0]) =>
          isolation.wrap({ ...request, uid: isolation.needsUid ? uid : undefined }),
      };
      await using child = startChild({
        argv: shell(script, ada, bob),
        env: { HOME: '/tmp' },
        isolation: wrapped,
        cache: ada,
      });
      await child.child.exited;
      expect([...child.lines, ...child.errors]).toEqual(['written']);
      expect(readFileSync(join(ada, 'kept'), 'utf8')).toBe('kept\n');
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  test('the ladder lets it finish on SIGTERM, and ends all of it on SIGKILL, double forks too', async () => {
    const marker = crypto.randomUUID();
    const isolation = isolationOf([]);
    const polite = startChild({
      argv: shell('trap "sleep 0.2; echo saved; exit 0" TERM; echo ready; while :; do sleep 0.05; done'),
      isolation,
      ladder: { inputClosedMs: 50, terminatedMs: 5_000 },
    });
    await polite.printed('ready');
    await polite.child.end();
    expect(polite.lines).toContain('saved');

    await using stubborn = startChild({
      argv: shell(
        'trap "" TERM INT HUP; (setsid sh -c "sleep 300" &) ; echo ready; while :; do sleep 0.05; done',
      ),
      env: { MARK: marker },
      isolation,
      ladder: { inputClosedMs: 50, terminatedMs: 50 },
    });
    await stubborn.printed('ready');
    expect(processesWith(marker).length).toBeGreaterThan(1);
    await stubborn.child.end();
    await until('everything that it started is gone', () => processesWith(marker).length === 0);
  });

  test('everything dies with the one who started it, also by SIGKILL', async () => {
    const marker = crypto.randomUUID();
    const isolation = isolationOf([]);
    const { argv } = isolation.wrap({
      argv: [
        '/bin/sh',
        '-c',
        'trap "" TERM INT HUP PIPE; (setsid sleep 300 &); (setsid setsid sleep 300 &); while :; do sleep 1; done',
      ],
      uid: takeUid(isolation),
      cache: undefined,
    });
    const parent = join(import.meta.dir, '..', '..', 'support', 'mcp-parent.ts');
    await using appliance = Bun.spawn([process.execPath, parent, JSON.stringify(argv), marker], {
      stdout: 'ignore',
    });
    await until('the child runs', () => processesWith(marker).length >= 4);
    appliance.kill('SIGKILL');
    await appliance.exited;
    await until('everything is gone', () => processesWith(marker).length === 0);
  });
});

function readlink(path: string): string {
  const { stdout } = Bun.spawnSync(['readlink', path]);
  return stdout.toString().trim();
}

describe('choosing', () => {
  const data = secretDirectory(undefined);
  afterAll(() => data[Symbol.dispose]());
  const hidden = hiddenPaths({ own: [data.path], home: undefined });
  const options = (tools: Partial<typeof TOOLS>, own = hidden) => ({
    host: { tools: { ...TOOLS, ...tools }, isRoot: IS_ROOT, home: undefined, hidden: own },
    clock: systemClock,
    secretDirectory: data.path,
    uid: IS_ROOT ? 0x7000_0000 : undefined,
  });

  test('the first that works is taken', async () => {
    expect((await chooseIsolation(options({}))).name).toBe('bubblewrap');
  });

  test('without bubblewrap, the next', async () => {
    const { name } = await chooseIsolation(options({ bwrap: undefined }));
    expect(name).toBe(IS_ROOT ? 'setpriv' : 'unshare');
  });

  test('none: exit 2, and what is missing of each', async () => {
    const failure = await chooseIsolation(
      options({ bwrap: undefined, setpriv: undefined, mount: undefined }),
    ).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CommandError);
    expect(failure).toMatchObject({ exitCode: 2 });
    expect(String(failure)).toContain('bwrap is not installed (package bubblewrap)');
    expect(String(failure)).toContain('not installed: setpriv, mount (package util-linux)');
    expect(String(failure)).toContain('isolation = "none"');
  });

  test('one that does not hold what it promises is not taken', async () => {
    const nothing = { system: [], directories: [], files: [], kept: [] };
    const trials = await tryIsolations(options({}, nothing));
    if (!IS_ROOT) return expect(trials.map(({ fault }) => fault)).toContain('the data directory can be read');
    // Children of root have uids of their own, which keeps them out without hiding anything.
    expect(trials[0]?.fault).toBeUndefined();
  });

  test('one that cannot run says why', async () => {
    const trials = await tryIsolations(options({ bwrap: '/bin/false', unshare: '/nowhere/unshare' }));
    expect(trials.map(({ fault }) => fault)).toEqual([
      'it ended with status 1',
      expect.stringContaining('No such file or directory'),
    ]);
  });
});

test('cache directories change hands with the uid, links themselves and not what they lead to', () => {
  const root = mkdtempSync(join(LASTING, '.test-cache-'));
  try {
    const path = cacheOf({ cache: root, name: 'files' }, 'usr_ada' as UserId, undefined);
    mkdirSync(join(path, 'inside'));
    expect(cacheOf({ cache: root, name: 'files' }, 'usr_ada' as UserId, process.getuid?.())).toBe(path);
    expect(path).toBe(join(root, 'files', 'usr_ada'));
  } finally {
    rmSync(root, { recursive: true });
  }
});
