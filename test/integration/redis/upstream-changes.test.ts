import { afterAll, beforeAll, expect, test } from 'bun:test';
import { configSchema } from '../../../src/config/schema.ts';
import type { UpstreamChange } from '../../../src/upstream/tokens.ts';
import type { UserId } from '../../../src/users/model.ts';
import { openPeople } from '../../../src/users/open-people.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';
import { type SessionNode, sessionNodes } from '../../support/session-nodes.ts';
import { until } from '../../support/until.ts';
import { openGrantAt, testBackend, testUpstream } from '../../support/upstream.ts';

const WORK = { name: 'work', issuer: 'https://work.example', client_id: 'postern', client_secret: 'secret' };
const NAMELESS = { preferredUsername: undefined, displayName: undefined, verifiedEmail: undefined };
const TASKS = testBackend('tasks', { provider: WORK.name, secrets: ['TOKEN'] });

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

function upstreamOf(base: SessionNode) {
  const { db, clock, audit, ledger } = base;
  const people = openPeople({ db, clock, audit, sessions: ledger });
  const config = configSchema.parse({ upstream: { provider: [WORK] } });
  const upstream = testUpstream({ base, people }, { config, backends: [TASKS], isShared: true });
  const refreshed: UpstreamChange[] = [];
  const changedSecrets: string[] = [];
  upstream.tokens.onRefreshed((change) => void refreshed.push(change));
  upstream.tokens.onSecretChanged(({ name }) => void changedSecrets.push(name));
  return { ...upstream, refreshed, changedSecrets };
}

/** Two processes with what runs in them, and somebody who is signed in and has a grant at the backend. */
async function twoProcesses() {
  await using starting = new AsyncDisposableStack();
  const { first, second } = starting.use(await sessionNodes(server));
  const [here, there] = [upstreamOf(first), upstreamOf(second)];
  for (const each of [here, there]) starting.use(each);
  const userId = await first.addUser();
  await first.signIn(userId);
  await openGrantAt(first, userId, TASKS.name);
  await until('both believe what is in memory', () => first.isTrusted() && second.isTrusted());
  const running = starting.move();
  const dispose = () => running.disposeAsync();
  return { first, second, here, there, userId, [Symbol.asyncDispose]: dispose };
}

const keep = (
  node: SessionNode,
  { keepTokens }: ReturnType<typeof upstreamOf>,
  userId: UserId,
  token: string,
) =>
  node.db.write((tx) =>
    keepTokens(tx, {
      userId,
      claims: { ...NAMELESS, provider: WORK.name, issuer: WORK.issuer, subject: 'ada', groups: [] },
      tokens: {
        accessToken: token,
        refreshToken: `${token}-next`,
        expiresAt: node.clock.now() + 3_600_000,
        scope: undefined,
        obtainedAt: node.clock.now(),
      },
    }),
  );

test('a token that one process has is told to what runs in another, once each', async () => {
  await using two = await twoProcesses();
  const { first, second, here, there, userId } = two;
  for (const token of ['one', 'two']) {
    await keep(first, here, userId, token);
    await until('the other heard', () => there.refreshed.at(-1)?.token.accessToken === token);
  }
  await keep(second, there, userId, 'three');
  await until('the first heard', () => here.refreshed.at(-1)?.token.accessToken === 'three');
  const told = [here, there].map(({ refreshed }) => refreshed.map(({ token }) => token.accessToken));
  expect(told).toEqual([
    ['one', 'two', 'three'],
    ['one', 'two', 'three'],
  ]);
  const kept = JSON.stringify(await server.client().xrange('postern:events', '-', '+'));
  expect(kept).toContain(userId);
  expect(kept).not.toMatch(/"(?:one|two|three)"|next/);
});

test('a secret that one process stores or removes is told to what runs in another', async () => {
  await using two = await twoProcesses();
  const { here, there, userId } = two;
  await here.secrets.store('TOKEN', 'pasted', { userId });
  await until('the other heard', () => there.changedSecrets.length === 1);
  expect(there.tokens.secret(userId, 'TOKEN')).toBe('pasted');
  await here.secrets.remove('TOKEN', { userId });
  await until('the other heard', () => there.changedSecrets.length === 2);
  expect(here.changedSecrets).toEqual(['TOKEN', 'TOKEN']);
});
