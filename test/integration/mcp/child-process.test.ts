import { describe, expect, test } from 'bun:test';
import { isRunning, processesWith, startChild } from '../../support/mcp-children.ts';
import { until } from '../../support/until.ts';

const shell = (script: string) => ['/bin/sh', '-c', script] as const;

describe('what goes in and out', () => {
  test('lines both ways, in order', async () => {
    await using it = startChild({ argv: ['/bin/cat'] });
    for (let at = 0; at < 500; at++) expect(it.child.write(`line ${at}`)).toBe(true);
    await it.printed('line 499');
    expect(it.lines).toEqual(Array.from({ length: 500 }, (_, at) => `line ${at}`));
  });

  test('the environment is what was given, and nothing of ours', async () => {
    await using it = startChild({ argv: ['/usr/bin/env'], env: { TOKEN: 'x y', PATH: '/bin' } });
    await it.child.exited;
    expect(it.lines.filter((line) => !/^(PWD|SHLVL|_)=/.test(line)).toSorted()).toEqual([
      'PATH=/bin',
      'TOKEN=x y',
    ]);
  });

  test('arguments reach the program as they are: no shell reads them', async () => {
    await using it = startChild({ argv: ['/bin/echo', '$(id)', '`id`', '; id', '*'] });
    await it.child.exited;
    expect(it.lines).toEqual(['$(id) `id` ; id *']);
  });

  test('a program that is not there', () => {
    expect(() => startChild({ argv: ['/nowhere/at/all'] })).toThrow('ENOENT');
  });

  test('lines without end are dropped, with what comes after them kept', async () => {
    await using it = startChild({
      argv: shell('head -c 100000000 /dev/zero | tr "\\0" x; echo; echo after'),
      maxLineBytes: 1_000_000,
    });
    await it.printed('after');
    expect(it.long[0]?.bytes).toBe(100_000_000);
    expect(it.lines).toEqual(['after']);
  });

  test('a child that writes without end leaves others their turn', async () => {
    await using it = startChild({ argv: shell('yes "{}"') });
    await it.printed('{}');
    const linesPerTurn: number[] = [];
    for (let turn = 0; turn < 100; turn++) {
      const before = it.lines.length;
      await new Promise((resolve) => void setImmediate(resolve));
      linesPerTurn.push(it.lines.length - before);
    }
    // 32 KiB are 10,923 of them; a turn of ours may fall between two of its.
    expect(Math.max(...linesPerTurn)).toBeGreaterThan(0);
    expect(Math.max(...linesPerTurn)).toBeLessThan(25_000);
  });

  test('characters cut in two by the writer', async () => {
    await using it = startChild({
      argv: shell(
        "printf '\\303'; sleep 0.05; printf '\\251 \\360\\237'; sleep 0.05; printf '\\231\\202\\n'",
      ),
    });
    await it.printed('é 🙂');
  });

  test('a child that does not read: what waits is bounded, and nothing more is taken', async () => {
    await using it = startChild({ argv: shell('echo ready; sleep 60'), maxQueuedBytes: 1_000_000 });
    await it.printed('ready');
    const message = 'x'.repeat(100_000);
    let taken = 0;
    while (taken < 100 && it.child.write(message)) taken++;
    expect(taken).toBeGreaterThan(5);
    expect(taken).toBeLessThan(100);
  });

  test('many short lines that wait count for more than their letters', async () => {
    await using it = startChild({ argv: shell('echo ready; sleep 60'), maxQueuedBytes: 1_000_000 });
    await it.printed('ready');
    let taken = 0;
    while (taken < 200_000 && it.child.write('{}')) taken++;
    expect(taken).toBeLessThan(100_000);
  });

  test('writing to a child that is gone', async () => {
    await using it = startChild({ argv: ['/bin/true'] });
    await it.child.exited;
    expect(it.child.write('hello')).toBe(false);
    expect(it.child.isOpen).toBe(false);
  });

  test('error output comes line by line, long lines by their beginning', async () => {
    await using it = startChild({
      argv: shell('echo one >&2; head -c 5000 /dev/zero | tr "\\0" y >&2; echo >&2; echo two >&2'),
    });
    await it.child.exited;
    expect(it.errors.map((line) => line.length)).toEqual([3, 512, 3]);
  });

  test('memory and uptime of all of it', async () => {
    await using it = startChild({ argv: shell('sleep 60 & echo ready; cat') });
    await it.printed('ready');
    const { memoryBytes, uptimeMs } = it.child.usage();
    expect(memoryBytes).toBeGreaterThan(500_000);
    expect(uptimeMs).toBeGreaterThan(0);
  });
});

describe('an end', () => {
  test('by the end of its input', async () => {
    await using it = startChild({ argv: ['/bin/cat'] });
    expect(await it.child.end()).toEqual({ code: 0, signal: null, wasEnded: true });
  });

  test('by SIGTERM, which it may answer', async () => {
    await using it = startChild({
      argv: shell('trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done'),
      ladder: { inputClosedMs: 50, terminatedMs: 5_000 },
    });
    await it.printed('ready');
    expect(await it.child.end()).toMatchObject({ code: 3, wasEnded: true });
    expect(it.lines).toContain('bye');
  });

  test('by SIGKILL, where it heeds nothing', async () => {
    await using it = startChild({
      argv: shell('trap "" TERM HUP INT; echo ready; while :; do sleep 0.05; done'),
      ladder: { inputClosedMs: 50, terminatedMs: 50 },
    });
    await it.printed('ready');
    expect(await it.child.end()).toMatchObject({ signal: 'SIGKILL', wasEnded: true });
  });

  test('takes along what it started, whether it ended by itself or by us', async () => {
    const marker = crypto.randomUUID();
    const script = 'sleep 300 & sleep 300 & echo ready; cat > /dev/null';
    await using it = startChild({ argv: shell(script), env: { MARK: marker } });
    await it.printed('ready');
    expect(processesWith(marker).length).toBeGreaterThanOrEqual(3);
    await it.child.end();
    await until('its children are gone', () => processesWith(marker).length === 0);
  });

  test('twice is once', async () => {
    await using it = startChild({ argv: ['/bin/cat'] });
    expect(it.child.end()).toBe(it.child.end());
    await it.child.end();
  });

  test('by itself', async () => {
    await using it = startChild({ argv: shell('exit 4') });
    expect(await it.child.exited).toEqual({ code: 4, signal: null, wasEnded: false });
  });

  test('is not held up by somebody else who holds its output open', async () => {
    const marker = crypto.randomUUID();
    await using it = startChild({
      argv: shell('setsid sleep 300 & echo last; exit 0'),
      env: { MARK: marker },
    });
    await it.child.exited;
    expect(it.lines).toEqual(['last']);
    for (const pid of processesWith(marker)) process.kill(pid, 'SIGKILL');
  });
});

test('a child leads its own process group, so that a signal for ours does not reach it', async () => {
  await using it = startChild({ argv: shell('echo ready; ps -o pgid= -p $$; cat') });
  await until('its process group', () => it.lines.length === 2);
  expect(Number(it.lines[1])).toBe(it.child.pid);
});

test('a hundred children at once leave nothing', async () => {
  const marker = crypto.randomUUID();
  const all = Array.from({ length: 100 }, () => startChild({ argv: ['/bin/cat'], env: { MARK: marker } }));
  await Promise.all(all.map(({ child }) => child.end()));
  expect(all.some(({ child }) => isRunning(child.pid))).toBe(false);
  expect(processesWith(marker)).toEqual([]);
});
