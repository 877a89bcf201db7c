import { describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { askServer } from '../../src/control/client.ts';
import { PROGRAMS, type Workplace, workplace } from '../support/program.ts';

interface UserRow {
  id: string;
  username: string;
  role: string;
  status: string;
}

const users = async (place: Workplace) =>
  JSON.parse((await place.run('user', 'list', '--json')).out) as UserRow[];

/** Everything that `user` can do, one after the other. */
async function lookAfterPeople(place: Workplace): Promise<void> {
  const created = await place.run('user', 'create', 'ada', '--role', 'owner', '--name', 'Ada L.');
  expect(created).toMatchObject({ exitCode: 0, err: '' });
  expect(created.out).toMatch(/^created the owner ada \(usr_\w{26}\)\n.*\n\S+\/reset-password#\S{43}\n$/);
  expect(await place.run('user', 'create', 'ADA')).toMatchObject({
    exitCode: 1,
    err: expect.stringContaining('taken'),
  });
  expect((await place.run('user', 'invite')).out).toMatch(/\n\S+\/invitation#\S{43}\n$/);
  expect((await place.run('user', 'reset-password', 'ada')).out).toMatch(/\/reset-password#\S{43}\n$/);
  expect(await place.run('user', 'disable', 'ada')).toMatchObject({
    exitCode: 1,
    err: expect.stringContaining('last active owner'),
  });
  await place.run('user', 'create', 'bob');
  expect(await place.run('user', 'set-role', 'bob', 'owner')).toMatchObject({
    exitCode: 0,
    out: 'bob is an owner now\n',
  });
  expect(await place.run('user', 'disable', 'ada')).toMatchObject({ exitCode: 0 });
  expect(await users(place)).toMatchObject([
    { username: 'ada', role: 'owner', status: 'disabled' },
    { username: 'bob', role: 'owner', status: 'active' },
  ]);
  expect(await place.run('user', 'enable', 'ada')).toMatchObject({ exitCode: 0 });
  const [ada] = await users(place);
  expect(await place.run('user', 'remove', ada?.id ?? '')).toMatchObject({ exitCode: 0 });
  expect(await users(place)).toMatchObject([{ username: 'bob' }]);
}

describe.each(PROGRAMS)('commands, %s', (_, command) => {
  test('look after people while the server runs', async () => {
    await using place = workplace(command);
    await place.serve();
    await lookAfterPeople(place);
  });

  test('look after people while no server runs', async () => {
    await using place = workplace(command);
    await lookAfterPeople(place);
    expect(existsSync(join(place.dataDir, 'control.sock'))).toBe(false);
  });

  test('many at once without a server wait for each other', async () => {
    await using place = workplace(command);
    await place.run('user', 'create', 'owner', '--role', 'owner');
    const names = ['a1', 'b2', 'c3', 'd4'];
    const results = await Promise.all(names.map((name) => place.run('user', 'create', name)));
    expect(results.map(({ exitCode, err }) => [exitCode, err])).toEqual(names.map(() => [0, '']));
    expect((await users(place)).map(({ username }) => username)).toEqual([...names, 'owner']);
  });

  test('refuse what is wrong with the right exit code', async () => {
    await using place = workplace(command);
    await place.run('user', 'create', 'ada', '--role', 'owner');
    const cases: [string[], number, string][] = [
      [['user', 'disable', 'aad'], 1, 'there is no user "aad"; did you mean "ada"?'],
      [['user', 'create', 'eve', '--role', 'king'], 2, 'the role is owner or member'],
      [['user', 'create', 'not a name'], 1, 'A user name has'],
      [['session', 'end', 'ses_nothing'], 1, 'there is no live session "ses_nothing"'],
      [['session', 'lsit'], 2, 'Did you mean "session list"?'],
      [['reap', '--jso'], 2, 'there is no flag --jso'],
      [['user', 'list', '--lisen', 'x'], 2, 'did you mean --listen?'],
    ];
    for (const [args, code, words] of cases) {
      const { exitCode, out, err } = await place.run(...args);
      expect([args, exitCode, out]).toEqual([args, code, '']);
      expect(err).toContain(words);
    }
  });

  test('do not make a data directory where somebody only looks', async () => {
    await using place = workplace(command);
    for (const args of [
      ['user', 'list'],
      ['session', 'list'],
      ['reap'],
      ['migrate'],
      ['backup', 'x'],
      ['doctor'],
    ]) {
      const { exitCode } = await place.run(...args);
      expect([args, exitCode]).toEqual([args, args[0] === 'doctor' ? 0 : 1]);
    }
    expect(readdirSync(place.directory)).toEqual([]);
  });

  test('sessions are listed, ended, and expired rows reaped', async () => {
    await using place = workplace(command);
    await place.serve();
    await place.run('user', 'create', 'ada', '--role', 'owner');
    expect(await place.run('session', 'list', '--json')).toMatchObject({ exitCode: 0, out: '[]\n' });
    expect(await place.run('session', 'end-all', 'ada')).toMatchObject({
      exitCode: 0,
      out: 'ended 0 sessions of ada\n',
    });
    expect((await place.run('reap')).out).toMatch(/^kind +deleted\n[^]*sessions +0\n/);
  });

  test('config prints what is understood, and masks secrets', async () => {
    const secret = 'ein-recht-langes-geheimnis-von-mir';
    await using place = workplace(command, { POSTERN_SECRET: secret });
    const { exitCode, out } = await place.run('config', '--sessions.idle-timeout=12h');
    expect(exitCode).toBe(0);
    expect(out).toContain('idle_timeout = "12h"');
    expect(out).toContain(`url = "${place.url}"`);
    expect(out).not.toContain(secret);
  });

  test('migrate says what is missing', async () => {
    await using place = workplace(command);
    await place.run('user', 'create', 'ada');
    expect(await place.run('migrate', '--check')).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('up to date'),
    });
    await place.serve();
    expect(await place.run('migrate')).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('up to date'),
    });
  });

  test('a backup of a running server can be restored once it has ended', async () => {
    await using place = workplace(command);
    const server = await place.serve();
    await place.run('user', 'create', 'ada', '--role', 'owner');
    const backup = await place.run('backup', 'kept.backup');
    expect(backup).toMatchObject({ exitCode: 0, out: expect.stringContaining(' and secret') });
    expect(statSync(join(place.directory, 'kept.backup')).mode & 0o777).toBe(0o600);
    expect(await place.run('backup', 'kept.backup')).toMatchObject({ exitCode: 1 });
    await place.run('user', 'create', 'late');
    expect(await place.run('restore', 'kept.backup')).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('is in use by another postern process'),
    });
    server.signal('SIGTERM');
    await server.finished;
    const restored = await place.run('restore', 'kept.backup');
    expect(restored).toMatchObject({ exitCode: 0, out: expect.stringContaining('everybody signs in again') });
    expect((await users(place)).map(({ username }) => username)).toEqual(['ada']);
    await place.serve();
    expect(await place.run('doctor')).toMatchObject({ exitCode: 0 });
  });

  test('a backup for which there is no room leaves nothing behind', async () => {
    await using place = workplace(command);
    await place.run('user', 'create', 'ada');
    const limited = ['bash', '-c', 'ulimit -f 64; exec "$@"', 'bash', ...place.command];
    const child = Bun.spawn([...limited, 'backup', 'kept.backup'], {
      cwd: place.directory,
      env: place.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [err, exitCode] = await Promise.all([child.stderr.text(), child.exited]);
    expect([exitCode, err.trimEnd().split('\n').length]).toEqual([1, 1]);
    expect(readdirSync(place.directory)).toEqual(['postern-data']);
  });

  test('the running server refuses acts and inputs that it does not know', async () => {
    await using place = workplace(command);
    await place.serve();
    const ask = (operation: string, input: unknown) =>
      askServer(join(place.dataDir, 'control.sock'), { operation, input });
    expect(await ask('user.promote', {})).toEqual({
      refusal: { message: expect.stringContaining('another version'), exitCode: 1 },
    });
    expect(await ask('constructor', {})).toMatchObject({ refusal: { exitCode: 1 } });
    expect(await ask('user.disable', { user: 7 })).toMatchObject({ refusal: { exitCode: 2 } });
    expect(await ask('user.list', { more: true })).toMatchObject({ refusal: { exitCode: 2 } });
    expect(await ask('status', {})).toMatchObject({ output: { roles: ['broker', 'hub'] } });
  });

  test('version is instant and needs nothing', async () => {
    await using place = workplace(command, { POSTERN_URL: 'nonsense' });
    expect(await place.run('version')).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(/^postern \d+\.\d+\.\d+/),
    });
    expect(await place.run('help')).toMatchObject({ exitCode: 0 });
    expect(await place.run('config')).toMatchObject({ exitCode: 2 });
  });
});
