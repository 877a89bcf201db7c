import { describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  askAnyServer,
  askServerWith,
  ownSocketAddress,
  runningServers,
} from '../../../src/control/any-server.ts';
import { listenControl } from '../../../src/control/server.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

/** A data directory on which servers listen. */
function sharedPlace() {
  const directory = temporaryDirectory();
  const stack = new AsyncDisposableStack();
  const place = { dataDir: directory.path, workingDir: process.cwd(), patienceMs: 100 };
  return {
    ...place,
    names: () => readdirSync(directory.path).toSorted(),
    async serve(node: string, roles: string[], pid: number) {
      const address = await ownSocketAddress(place, 'shared', pid);
      const perform = async ({ operation }: { operation: string }) =>
        operation === 'status' ? { node, roles } : node;
      return stack.use(
        await listenControl({ address, clock: new ManualClock(), log: recordedLog(), perform }),
      );
    },
    async [Symbol.asyncDispose]() {
      await stack.disposeAsync();
      directory[Symbol.dispose]();
    },
  };
}

/** A socket that a server left which was killed. */
async function leaveSocket(path: string): Promise<void> {
  const script = `Bun.listen({ unix: ${JSON.stringify(path)}, socket: { data() {} } }); process.kill(process.pid, 'SIGKILL')`;
  await Bun.spawn([process.execPath, '-e', script], { stdio: ['ignore', 'ignore', 'ignore'] }).exited;
}

const request = { operation: 'who', input: {} };

describe('of several servers on one data directory', () => {
  test('each has a socket of its own, and any is asked', async () => {
    await using place = sharedPlace();
    expect(await askAnyServer(place, request)).toBeUndefined();
    const first = await place.serve('one', ['broker'], 11);
    await place.serve('two', ['hub'], 12);
    expect(place.names()).toEqual(['control-11.sock', 'control-12.sock']);
    expect(await askAnyServer(place, request)).toEqual({ output: 'one' });
    expect((await runningServers(place)).map(({ status }) => status.node).toSorted()).toEqual(['one', 'two']);
    await first[Symbol.asyncDispose]();
    expect(place.names()).toEqual(['control-12.sock']);
    expect(await askAnyServer(place, request)).toEqual({ output: 'two' });
  });

  test('the one with a role is asked for what only it knows; another, where none has it', async () => {
    await using place = sharedPlace();
    await place.serve('one', ['broker'], 11);
    await place.serve('two', ['hub'], 12);
    expect(await askServerWith('hub', place, request)).toEqual({ output: 'two' });
    expect(await askServerWith('broker', place, request)).toEqual({ output: 'one' });
    expect(await askServerWith('reaper', place, request)).toEqual({ output: 'one' });
  });

  test('what a killed one left stops nobody, and goes with the next start', async () => {
    await using place = sharedPlace();
    await leaveSocket(join(place.dataDir, 'control-10.sock'));
    expect(existsSync(join(place.dataDir, 'control-10.sock'))).toBe(true);
    await place.serve('two', [], 12);
    expect(place.names()).toEqual(['control-12.sock']);
    await leaveSocket(join(place.dataDir, 'control-10.sock'));
    expect(await askAnyServer(place, request)).toEqual({ output: 'two' });
    expect(await runningServers(place)).toHaveLength(1);
  });

  test('one that hangs keeps nobody from another, and nobody from starting', async () => {
    await using place = sharedPlace();
    using _hanging = Bun.listen({ unix: join(place.dataDir, 'control-10.sock'), socket: { data() {} } });
    await place.serve('two', ['hub'], 12);
    expect(place.names()).toEqual(['control-10.sock', 'control-12.sock']);
    expect(await askAnyServer(place, request)).toEqual({ output: 'two' });
    expect(await askServerWith('hub', place, request)).toEqual({ output: 'two' });
    expect(await runningServers(place)).toMatchObject([
      { status: { node: '', roles: [] }, answers: false },
      { status: { node: 'two' }, answers: true },
    ]);
  });

  test('two with one pid, as in two containers, do not take each other’s', async () => {
    await using place = sharedPlace();
    await place.serve('one', [], 1);
    await place.serve('two', [], 1);
    expect(place.names()).toEqual(['control-1-2.sock', 'control-1.sock']);
    expect((await runningServers(place)).map(({ status }) => status.node).toSorted()).toEqual(['one', 'two']);
  });

  test('other files are not taken for sockets', async () => {
    await using place = sharedPlace();
    for (const name of ['control-x.sock', 'control-1.sock.bak', 'xcontrol.sock'])
      writeFileSync(join(place.dataDir, name), '');
    await place.serve('one', [], 11);
    expect(place.names()).toHaveLength(4);
    expect(await runningServers(place)).toHaveLength(1);
  });
});

test('one that is alone listens at control.sock', async () => {
  expect(await ownSocketAddress({ dataDir: '/data', workingDir: '/x' }, 'exclusive')).toBe(
    '/data/control.sock',
  );
});
