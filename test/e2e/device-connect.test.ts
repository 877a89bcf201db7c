import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { locatePeer } from '../../scripts/peers.ts';
import { binary } from '../support/appliance.ts';
import { temporaryDirectory } from '../support/database.ts';
import { deviceService } from '../support/device-service.ts';
import { type DeviceSite, deviceSite } from '../support/device-site.ts';
import { type FileService, startFileService } from '../support/file-service.ts';
import { residentBytes } from '../support/processes.ts';
import { type Running, startProgram } from '../support/program.ts';
import { type Sshd, startSshd } from '../support/sshd.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

/** How much goes each way; 1024 is the figure that is promised. */
const MIB = Number(process.env['POSTERN_TEST_MIB'] ?? 48);
const MEBIBYTE = 1_048_576;

setDefaultTimeout(60_000 + MIB * 500);

const directory = temporaryDirectory();
const path = (name: string) => join(directory.path, name);
const running = new AsyncDisposableStack();
let devices: DeviceSite;
let sshd: Sshd;
let files: FileService;
let web: ReturnType<typeof deviceService>;
let agent: Running;
let sent: { file: string; sha256: string };
let fetched: { file: string; sha256: string };

beforeAll(async () => {
  [sent, fetched] = [await randomFile('sent'), await randomFile('fetched')];
  devices = running.use(await deviceSite());
  sshd = running.use(await startSshd(directory.path));
  files = running.use(startFileService(fetched.file));
  web = running.use(deviceService());
  const made = await devices.call(devices.site.owner, 'POST', '/api/v1/pairings');
  const { code } = (await made.json()) as { code: string };
  const joining = postern('agent', '--join', code, '--server', devices.site.origin, '--name', 'Garden');
  expect(await joining.finished).toMatchObject({ exitCode: 0, err: '' });
  const targets = [
    `web=http://127.0.0.1:${web.port}`,
    `ssh=tcp://127.0.0.1:${sshd.port}`,
    `files=tcp://127.0.0.1:${files.port}`,
  ];
  agent = postern('agent', ...targets.flatMap((target) => ['--service', target]));
  await agent.printed('connected');
  await Bun.write(path('token'), `${(await newToken()).secret}\n`);
});

afterAll(async () => {
  await running.disposeAsync();
  directory[Symbol.dispose]();
});

/** A personal token for all that the device is asked for here. */
async function newToken(): Promise<{ id: string; secret: string }> {
  const made = await devices.call(devices.site.owner, 'POST', '/api/v1/tokens', {
    label: 'tools',
    expires_in: 3_600,
    reach: ['web', 'ssh', 'files', 'nothing'].map((service) => ({ device: 'garden', service })),
  });
  const { secret, token } = (await made.json()) as { secret: string; token: { id: string } };
  return { secret, id: token.id };
}

const postern = (...args: string[]) =>
  running.use(startProgram([binary(), ...args], directory.path, { PATH: process.env['PATH'] ?? '' }));

const connectFlags = (token = 'token') => ['--server', devices.site.origin, '--token-file', path(token)];

async function randomFile(name: string): Promise<{ file: string; sha256: string }> {
  const file = path(name);
  const sink = Bun.file(file).writer();
  const hash = new Bun.SHA256();
  for (let at = 0; at < MIB; at++) {
    const block = new Uint8Array(MEBIBYTE);
    for (let from = 0; from < MEBIBYTE; from += 65_536)
      crypto.getRandomValues(block.subarray(from, from + 65_536));
    hash.update(block);
    await sink.write(block);
    await sink.flush();
  }
  await sink.end();
  return { file, sha256: hash.digest('hex') };
}

async function digestOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const hash = new Bun.SHA256();
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

describe('postern connect', () => {
  test('carries ssh', async () => {
    const proxy = [binary(), 'connect', 'garden', 'ssh', '--stdio', ...connectFlags()].join(' ');
    const greeted = await sshd.ssh(proxy, 'echo hello from "$0"; exit 7');
    expect({ ...greeted, out: Buffer.from(greeted.out).toString() }).toMatchObject({ exitCode: 7 });
    expect(Buffer.from(greeted.out).toString()).toStartWith('hello from ');
    const block = crypto.getRandomValues(new Uint8Array(65_536));
    const large = new Blob(Array.from({ length: 128 }, () => block));
    const copied = await sshd.ssh(proxy, 'cat', large);
    expect([copied.exitCode, copied.out.length]).toEqual([0, large.size]);
    expect(Buffer.compare(copied.out, await large.bytes())).toBe(0);
  });

  test(`carries ${MIB} MiB both ways through nc, and neither side keeps them`, async () => {
    const line = postern('connect', 'garden', 'files', ...connectFlags());
    await line.printed('listening on 127.0.0.1:');
    const [, port = ''] = /:(\d+)/.exec(line.out()) ?? [];
    const nc = locatePeer('nc');
    if (nc === undefined) throw new Error('nc is missing: apt-get install netcat-openbsd');
    const child = Bun.spawn([nc, '-N', '127.0.0.1', port], {
      stdin: Bun.file(sent.file),
      stdout: 'pipe',
      stderr: 'inherit',
    });
    const since = performance.now();
    expect(await digestOf(child.stdout)).toBe(fetched.sha256);
    expect(await child.exited).toBe(0);
    await until('all has arrived', () => files.digests.length === 1);
    expect(files.digests).toEqual([sent.sha256]);
    const seconds = (performance.now() - since) / 1_000;
    const memory = [devices.site.appliance.process.pid, agent.pid, line.pid].map((pid) =>
      Math.round(residentBytes(pid) / MEBIBYTE),
    );
    console.log(
      `${MIB} MiB each way in ${seconds.toFixed(1)} s; MiB of appliance, agent, connect: ${memory.join(', ')}`,
    );
    expect(Math.max(...memory)).toBeLessThan(320);
    line.signal('SIGTERM');
    expect((await line.finished).exitCode).toBe(0);
  });

  test(`requests and answers of ${MIB} MiB arrive as they were sent`, async () => {
    const headers = { authorization: `Bearer ${(await Bun.file(path('token')).text()).trim()}` };
    const url = devices.site.url('/d/garden/web/hash');
    const taken = await fetch(url, { method: 'POST', headers, body: Bun.file(sent.file) });
    expect(await taken.json()).toEqual({ bytes: MIB * MEBIBYTE, sha256: sent.sha256 });
    const zeros = await fetch(devices.site.url(`/d/garden/web/zeros?bytes=${MIB * MEBIBYTE}`), { headers });
    const expected = new Bun.SHA256();
    for (let at = 0; at < MIB; at++) expected.update(new Uint8Array(MEBIBYTE));
    expect(await digestOf(zeros.body ?? new ReadableStream())).toBe(expected.digest('hex'));
  });

  test.each([
    ['a service of which the agent knows nothing', ['garden', 'nothing', '--stdio'], 'unknown_service'],
    ['a device that is not there', ['gardn', 'ssh', '--stdio'], '(invalid_token)'],
    ['a service that the token does not name', ['garden', 'other', '--stdio'], '(invalid_token)'],
    ['HTTP as if it were TCP', ['garden', 'web', '--stdio'], 'unknown_service'],
  ])('says why not: %s', async (_what, words, complaint) => {
    const { exitCode, err } = await postern('connect', ...words, ...connectFlags()).finished;
    expect([exitCode, err]).toEqual([1, expect.stringContaining(complaint)]);
  });

  test.each([
    ['no token', ['--server', 'https://auth.example.com'], 'a personal token is needed'],
    ['no server', ['--token-file', '/dev/null'], 'which server?'],
    [
      'a server in the clear',
      ['--server', 'http://auth.example.com'],
      'the server is an address like https://',
    ],
    [
      'a file that is not there',
      ['--server', 'https://a.example', '--token-file', '/nowhere'],
      'there is no such file',
    ],
    ['two places', ['--stdio', '--listen', '127.0.0.1:1'], 'exclude each other'],
  ])('is wrong use: %s', async (_what, flags, complaint) => {
    const { exitCode, err } = await postern('connect', 'garden', 'ssh', ...flags).finished;
    expect([exitCode, err]).toEqual([2, expect.stringContaining(complaint)]);
  });

  test('asks for the token at a terminal, and does not show it', async () => {
    const { secret } = await newToken();
    const command = [binary(), 'connect', 'garden', 'ssh', '--server', devices.site.origin];
    await using terminal = openTerminal(command, directory.path, { PATH: process.env['PATH'] ?? '' });
    await terminal.shown(/Personal token: /);
    terminal.type(`x\u007f${secret}\r`);
    await terminal.shown(/listening on 127\.0\.0\.1:\d+/);
    expect(terminal.screen()).not.toContain(secret.slice(0, 12));
    terminal.type('\u0003');
    expect(await terminal.exited).toBe(0);
  });

  test('leaving that question is no token', async () => {
    const command = [binary(), 'connect', 'garden', 'ssh', '--server', devices.site.origin];
    await using terminal = openTerminal(command, directory.path, { PATH: process.env['PATH'] ?? '' });
    await terminal.shown(/Personal token: /);
    terminal.type('half\u0003');
    expect(await terminal.exited).toBe(2);
  });

  test('ends with its token', async () => {
    const { id, secret } = await newToken();
    await Bun.write(path('brief'), secret);
    const line = postern('connect', 'garden', 'ssh', ...connectFlags('brief'));
    await line.printed('listening on 127.0.0.1:');
    const [, port = ''] = /:(\d+)/.exec(line.out()) ?? [];
    const closed = Promise.withResolvers<void>();
    let banner = '';
    await Bun.connect({
      hostname: '127.0.0.1',
      port: Number(port),
      socket: { data: (_, chunk) => void (banner += chunk.toString()), close: () => closed.resolve() },
    });
    await until('ssh answers', () => banner.startsWith('SSH-2.0-'));
    const ended = await devices.call(devices.site.owner, 'DELETE', `/api/v1/tokens/${id}`);
    expect(ended.status).toBe(204);
    await closed.promise;
  });
});
