import { describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { lockDataDirectory } from '../../src/db/lock.ts';
import { PROGRAMS, workplace } from '../support/program.ts';

const modeOf = (path: string) => statSync(path).mode & 0o777;

describe.each(PROGRAMS)('serve, %s', (_, command) => {
  test('from an empty directory: ready, healthy, and the setup link where only the owner reads it', async () => {
    await using place = workplace(command);
    const server = await place.serve();
    expect(server.out()).toContain(`Postern is ready at ${place.url}\n`);
    expect(server.out()).toContain(`ssh -L ${place.port}:127.0.0.1:${place.port} `);
    expect((await fetch(`http://127.0.0.1:${place.port}/healthz`)).status).toBe(200);
    expect(await place.run('healthcheck')).toMatchObject({ exitCode: 0, out: 'healthy\n' });

    const file = join(place.dataDir, 'setup-link');
    await server.printed(file);
    expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^${place.url}/setup#\\S{43}\n$`));
    expect([modeOf(file), modeOf(place.dataDir), modeOf(join(place.dataDir, 'control.sock'))]).toEqual([
      0o600, 0o700, 0o600,
    ]);
    const secret = readFileSync(file, 'utf8').trim().split('#')[1] ?? '';
    expect(server.out() + server.err()).not.toContain(secret);
  });

  test('says of each optional part whether it is on', async () => {
    await using place = workplace(command);
    const server = await place.serve('--log.format', 'text');
    await server.printed('ready');
    expect(server.err()).toContain('forward-auth: off turn_on_with="forward_auth.rule"');
    expect(server.err()).toContain('TLS: off turn_on_with="tls"');
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 on %s, and leaves no socket', async (signal) => {
    await using place = workplace(command);
    const server = await place.serve();
    server.signal(signal);
    expect((await server.finished).exitCode).toBe(0);
    expect(existsSync(join(place.dataDir, 'control.sock'))).toBe(false);
    expect(await place.run('healthcheck')).toMatchObject({ exitCode: 1 });
  });

  test('a second signal ends it at once, while a request keeps it from draining', async () => {
    await using place = workplace(command);
    const server = await place.serve();
    await using _request = await unfinishedRequest(place.port);
    server.signal('SIGTERM');
    await server.printed('ending');
    server.signal('SIGTERM');
    const { exitCode, err } = await server.finished;
    expect([exitCode, err.trimEnd().split('\n').at(-1)]).toEqual([
      1,
      'postern: ended at once by a second signal (SIGTERM)',
    ]);
  });

  test('survives its shell', async () => {
    await using place = workplace(command);
    const server = await place.serve();
    server.signal('SIGHUP');
    expect(await place.run('healthcheck')).toMatchObject({ exitCode: 0 });
  });

  test('a second one on the same data is refused', async () => {
    await using place = workplace(command);
    await place.serve();
    const second = await place.run('serve', '--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0');
    expect(second).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('is in use by another postern process'),
    });
    expect(await place.run('healthcheck')).toMatchObject({ exitCode: 0 });
  });

  test('waits for a command that is using the data', async () => {
    await using place = workplace(command);
    await place.run('user', 'create', 'ada');
    const busy = lockDataDirectory(place.dataDir);
    const server = place.start('serve', '--log.level', 'debug');
    await server.printed('demo: off');
    busy[Symbol.dispose]();
    await server.printed('Postern is ready');
  });

  test.each([
    ['listen', (port: number) => ['--listen', `127.0.0.1:${port}`]],
    ['metrics_listen', (port: number) => ['--metrics-listen', `127.0.0.1:${port}`]],
  ])('a port that somebody has is named: %s', async (key, flags) => {
    await using place = workplace(command);
    const other = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    const { exitCode, err } = await place.run('serve', ...flags(other.port));
    other.stop(true);
    expect(exitCode).toBe(1);
    expect(err).toContain(`postern: ${key} = "127.0.0.1:${other.port}"`);
    expect(err).toContain('in use');
  });

  test('a configuration that cannot be is exit 2, and makes nothing', async () => {
    await using place = workplace(command);
    const { exitCode, err } = await place.run(
      'serve',
      '--url',
      'http://example.com',
      '--sessions.cache-size',
      '0',
    );
    expect(exitCode).toBe(2);
    expect(err).toContain('2 problems');
    expect(readdirSync(place.directory)).toEqual([]);
  });

  test('starts again on what it left, also after kill -9', async () => {
    await using place = workplace(command);
    const server = await place.serve();
    server.signal('SIGKILL');
    await server.finished;
    expect(existsSync(join(place.dataDir, 'control.sock'))).toBe(true);
    await place.serve();
    expect(await place.run('user', 'list', '--json')).toMatchObject({ exitCode: 0, out: '[]\n' });
  });

  test('demo adds its user once, with a password in a private file', async () => {
    await using place = workplace(command, { POSTERN_DEMO: 'true' });
    const server = await place.serve();
    const file = join(place.dataDir, 'demo-password');
    await server.printed(file);
    const password = readFileSync(file, 'utf8').trim();
    expect([modeOf(file), password]).toEqual([0o600, expect.stringMatching(/^\w{4}-\w{4}-\w{4}-\w{4}$/)]);
    expect(server.out() + server.err()).not.toContain(password);
    expect(existsSync(join(place.dataDir, 'setup-link'))).toBe(false);
    server.signal('SIGTERM');
    await server.finished;
    await place.serve();
    const users: unknown = JSON.parse((await place.run('user', 'list', '--json')).out);
    expect(users).toMatchObject([{ username: 'demo', role: 'owner' }]);
    const devices: unknown = JSON.parse((await place.run('device', 'list', '--json')).out);
    expect(devices).toMatchObject([{ handle: 'garden-camera' }, { handle: 'kitchen-display' }]);
    expect(existsSync(file)).toBe(false);
  });
});

/** A request whose body never ends: the server has it in hand. */
async function unfinishedRequest(port: number): Promise<AsyncDisposable> {
  const socket = connect(port, '127.0.0.1');
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined);
  const head = `POST /sign-in HTTP/1.1\r\nHost: localhost:${port}\r\nOrigin: http://localhost:${port}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n`;
  // The server has read the head once it asks for the rest (RFC 9110 section 10.1.1); sent is not yet read.
  const asked = new Promise<void>((resolve) => socket.once('data', () => resolve()));
  socket.write(head);
  await Promise.race([asked, ended]);
  return {
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await ended;
    },
  };
}
