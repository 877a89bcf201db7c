import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { binary } from '../support/appliance.ts';
import { temporaryDirectory } from '../support/database.ts';
import { BACK_WITHIN_MS, type FaultSite, faultSite } from '../support/fault-site.ts';
import { residentBytes } from '../support/processes.ts';
import { startProgram } from '../support/program.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);

/** Both sides run on a machine that does other things besides. */
const SLACK_MS = 1_500;
/** What an agent at rest may take. */
const AT_REST_BYTES = 80 * 1_048_576;

let site: FaultSite;
beforeAll(async () => {
  site = await faultSite([100, 200]);
});
afterAll(() => site?.[Symbol.asyncDispose]());

const environment = { PATH: process.env['PATH'] ?? '' };
const run = (...args: string[]) =>
  startProgram([binary(), 'agent', ...args], site.appliance.directory, environment).finished;

const isBack = () =>
  until('the agent is back', async () => {
    const answer = await site.fetch('/empty').catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.status === 204;
  });

async function expectBackInTime(): Promise<void> {
  const since = performance.now();
  await isBack();
  expect(performance.now() - since).toBeLessThan(BACK_WITHIN_MS + SLACK_MS);
}

describe('an agent that runs', () => {
  test('keeps its key and state to itself', () => {
    const directory = join(site.appliance.directory, 'postern-agent');
    const mode = (path: string) => statSync(path).mode & 0o777;
    expect(mode(directory)).toBe(0o700);
    for (const file of ['key', 'device.json', 'control.sock'])
      expect([file, mode(join(directory, file))]).toEqual([file, 0o600]);
    expect(site.agent.err()).not.toContain('pstd_');
  });

  test('tells what it does, and which services there are', async () => {
    const { exitCode, out } = await run('status');
    expect([exitCode, out]).toEqual([0, expect.stringMatching(/^state +connected since /)]);
    const told = JSON.parse((await run('status', '--json')).out) as Record<string, unknown>;
    expect(told).toMatchObject({ phase: 'connected', handle: 'shaky', services: { web: { refused: 0 } } });
    const services = await run('services', '--json');
    expect(JSON.parse(services.out)).toEqual([
      { name: 'web', target: `http://127.0.0.1:${site.service.port}`, state: 'takes connections' },
    ]);
  });

  test('lets no second one run beside it', async () => {
    expect(await run()).toMatchObject({ exitCode: 1, err: expect.stringContaining('another agent runs in') });
  });

  test('is not paired a second time', async () => {
    const { exitCode, err } = await run('--join', 'ABCD-EFGH', '--server', 'https://auth.example.com');
    expect([exitCode, err]).toEqual([1, expect.stringContaining('is paired already')]);
  });

  test('takes little at rest', async () => {
    await until('it has settled', () => residentBytes(site.agent.pid) < AT_REST_BYTES);
  });
});

describe('an agent comes back', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'after the server was ended by %s and started again',
    async (signal) => {
      await isBack();
      await site.appliance.restart(signal);
      await expectBackInTime();
    },
  );

  test('after it has slept', async () => {
    await isBack();
    site.agent.signal('SIGSTOP');
    await until('the server has noticed', async () => (await site.fetch('/empty')).status === 503);
    site.agent.signal('SIGCONT');
    await expectBackInTime();
  });
});

describe('what is wrong use', () => {
  test.each([
    ['a link that is none', ['--join', 'https://auth.example.com/pair'], 'what stands after #'],
    ['a code without a server', ['--join', 'ABCD-EFGH'], 'add --server'],
    [
      'a server in the clear',
      ['--join', 'ABCD-EFGH', '--server', 'http://auth.example.com'],
      'reached by https',
    ],
    ['a service without a target', ['--service', 'web'], 'name=value'],
    ['a flag that there is not', ['--jion', 'x'], 'did you mean --join?'],
    ['a word too many', ['now'], 'there is nothing for "now" to mean'],
  ])('%s', async (_what, words, complaint) => {
    using directory = temporaryDirectory();
    const program = startProgram([binary(), 'agent', ...words], directory.path, environment);
    const { exitCode, err } = await program.finished;
    expect([exitCode, err]).toEqual([2, expect.stringContaining(complaint)]);
  });

  test('asking after an agent that is not there', async () => {
    using directory = temporaryDirectory();
    for (const [word, complaint] of [
      ['status', 'has not joined'],
      ['leave', 'has not joined'],
    ] as const) {
      const { exitCode, err } = await startProgram([binary(), 'agent', word], directory.path, environment)
        .finished;
      expect([exitCode, err]).toEqual([1, expect.stringContaining(complaint)]);
    }
  });
});

describe('the end of an agent', () => {
  test('lets a download come to its end, and no pairing is lost by it', async () => {
    await using other = await faultSite([100, 200]);
    const bytes = 40_000_000;
    const answer = await other.fetch(`/zeros?bytes=${bytes}`);
    other.agent.signal('SIGTERM');
    expect((await answer.bytes()).length).toBe(bytes);
    expect((await other.agent.finished).exitCode).toBe(0);
    const again = startProgram([binary(), 'agent'], other.appliance.directory, environment);
    await again.printed('connected');
    again.signal('SIGINT');
    expect((await again.finished).exitCode).toBe(0);

    const { directory } = other.appliance;
    const left = await startProgram([binary(), 'agent', 'leave'], directory, environment).finished;
    expect(left).toMatchObject({ exitCode: 0, out: expect.stringContaining('is unpaired from') });
    const { out } = await other.appliance.run('device', 'list', '--json');
    expect(JSON.parse(out)).toEqual([]);
  });
});
