import { describe, expect, test } from 'bun:test';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { askServer } from '../../../src/control/client.ts';
import { controlAddress, MAX_REQUEST_BYTES } from '../../../src/control/protocol.ts';
import { listenControl } from '../../../src/control/server.ts';
import { AppError } from '../../../src/lib/app-error.ts';
import { CommandError } from '../../../src/lib/command-error.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';

type Perform = Parameters<typeof listenControl>[0]['perform'];

async function listening(perform: Perform = async ({ input }) => input) {
  const directory = temporaryDirectory();
  const address = join(directory.path, 'control.sock');
  const clock = new ManualClock();
  let logged = '';
  const log = createLogger({ format: 'text', level: 'debug', clock, write: (line) => (logged += line) });
  const open = () => listenControl({ address, clock, log, perform });
  const server = await open();
  return {
    address,
    clock,
    open,
    server,
    logged: () => logged,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}

/** Sends bytes as they are; resolves with what came back until the server closed. */
function sendRaw(address: string, bytes: string | Buffer, { end = false } = {}): Promise<string> {
  return new Promise((resolve) => {
    let back = '';
    const socket = connect(address, () => (end ? socket.end(bytes) : socket.write(bytes)));
    socket.on('data', (chunk: Buffer) => (back += chunk.toString()));
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(back));
  });
}

describe('an exchange', () => {
  test('carries the operation and its input there, and the output back', async () => {
    await using control = await listening(async ({ operation, input }) => ({ operation, input }));
    const request = { operation: 'user.list', input: { text: 'a\nb\u2028ü', deep: [1, null] } };
    expect(await askServer(control.address, request)).toEqual({ output: request });
  });

  test('of many megabytes arrives whole', async () => {
    await using control = await listening(async () => 'x'.repeat(8_000_000));
    expect(await askServer(control.address, { operation: 'big', input: {} })).toEqual({
      output: 'x'.repeat(8_000_000),
    });
  });

  test('without an output is answered all the same', async () => {
    await using control = await listening(async () => undefined);
    expect(await askServer(control.address, { operation: 'quiet', input: {} })).toEqual({
      output: undefined,
    });
  });

  test('can be one of many at once', async () => {
    await using control = await listening();
    const inputs = Array.from({ length: 50 }, (_, input) => input);
    const answers = await Promise.all(
      inputs.map((input) => askServer(control.address, { operation: 'echo', input })),
    );
    expect(answers).toEqual(inputs.map((output) => ({ output })));
  });
});

describe('a refusal', () => {
  test('keeps the words and the exit code', async () => {
    await using control = await listening(async () => {
      throw new CommandError('not like this', 2);
    });
    expect(await askServer(control.address, { operation: 'x', input: {} })).toEqual({
      refusal: { message: 'not like this', exitCode: 2 },
    });
  });

  test('by a service is a failure', async () => {
    await using control = await listening(async () => {
      throw new AppError('not_found', 'unknown_user', 'There is no such user.');
    });
    expect(await askServer(control.address, { operation: 'x', input: {} })).toEqual({
      refusal: { message: 'There is no such user.', exitCode: 1 },
    });
  });

  test('by a bug says nothing but that, and the log has it', async () => {
    await using control = await listening(async () => {
      throw new TypeError('undefined is not a function');
    });
    const answer = await askServer(control.address, { operation: 'x', input: {} });
    expect(answer).toEqual({ refusal: { message: expect.stringContaining('internal error'), exitCode: 1 } });
    expect(control.logged()).toContain('undefined is not a function');
  });
});

describe('bad input', () => {
  test.each([
    'nonsense\n',
    '{}\n',
    '{"operation":1,"input":{}}\n',
    '{"operation":"x","input":{},"more":1}\n',
    '\n',
  ])('%p is refused and the server goes on', async (line) => {
    await using control = await listening();
    expect(await sendRaw(control.address, line)).toContain('refusal');
    expect(await askServer(control.address, { operation: 'echo', input: 1 })).toEqual({ output: 1 });
  });

  test('a request too long, or one that ends half way, is cut off', async () => {
    await using control = await listening();
    expect(await sendRaw(control.address, Buffer.alloc(MAX_REQUEST_BYTES + 1, 'x'))).toBe('');
    expect(await sendRaw(control.address, '{"operation":', { end: true })).toBe('');
  });

  test('a client that sends nothing is cut off after ten seconds', async () => {
    await using control = await listening();
    const cut = sendRaw(control.address, '');
    await connected(control);
    await control.clock.advance(10_000);
    expect(await cut).toBe('');
  });
});

/** Resolves once the server has taken every connection that was made before. */
async function connected(control: { address: string }): Promise<void> {
  await askServer(control.address, { operation: 'echo', input: 1 });
  await settle();
}

describe('the socket', () => {
  test('is for its owner alone, and goes with the server', async () => {
    await using control = await listening();
    expect(statSync(control.address).mode & 0o777).toBe(0o600);
    await control.server[Symbol.asyncDispose]();
    await control.server[Symbol.asyncDispose]();
    expect(existsSync(control.address)).toBe(false);
    expect(await askServer(control.address, { operation: 'echo', input: 1 })).toBeUndefined();
  });

  test('of a process that died is replaced', async () => {
    await using control = await listening();
    await control.server[Symbol.asyncDispose]();
    writeFileSync(control.address, '');
    expect(await askServer(control.address, { operation: 'echo', input: 1 })).toBeUndefined();
    await using _again = await control.open();
    expect(await askServer(control.address, { operation: 'echo', input: 1 })).toEqual({ output: 1 });
  });

  test('closing waits for the act under way, not for a client that says nothing', async () => {
    const act = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    await using control = await listening(() => {
      begun.resolve();
      return act.promise;
    });
    const silent = sendRaw(control.address, '');
    const answer = askServer(control.address, { operation: 'slow', input: {} });
    await begun.promise;
    const closed = control.server[Symbol.asyncDispose]();
    expect(await silent).toBe('');
    act.resolve('done');
    await closed;
    expect(await answer).toEqual({ output: 'done' });
  });

  test('may not lie deeper than an address can say', () => {
    expect(controlAddress('/data', '/elsewhere')).toBe('/data/control.sock');
    expect(controlAddress(`/${'d'.repeat(200)}/data`, `/${'d'.repeat(200)}`)).toBe('data/control.sock');
    expect(() => controlAddress(`/${'d'.repeat(200)}`, '/elsewhere')).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringContaining('data_dir') }),
    );
  });
});
