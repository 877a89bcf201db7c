import { expect, test } from 'bun:test';
import { linkSite, WORK } from '../../support/linked-accounts.ts';
import { holdTokens } from '../../support/token-endpoint.ts';

/** Past the end of the first access token. */
const HOUR_MS = 61 * 60_000;
/** Longer than a turn is held. */
const MINUTE_MS = 60_000;

test('three processes that ask for one token again and again use each refresh token once', async () => {
  await using links = await linkSite();
  const { userId } = await links.linked('ada');
  links.asked.length = 0;
  const rounds = [HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS];
  for (const [index, aheadMs] of rounds.entries()) {
    const askers = await Promise.all([1, 2, 3].map(() => links.startAsker(userId, aheadMs)));
    for (const asker of askers) asker.signal('SIGUSR2');
    for (const asker of askers) await asker.printed(`round 1: [${index + 2}]`);
    for (const asker of askers) await asker[Symbol.asyncDispose]();
    expect(links.asked.filter((path) => path === '/token')).toHaveLength(index + 1);
  }
});

test('a process that is killed while the provider is asked costs the others some time, and nobody the login', async () => {
  await using links = await linkSite();
  const { userId } = await links.linked('ada');
  const killed = await links.startAsker(userId, HOUR_MS);
  const held = holdTokens(links, 'asked');
  killed.signal('SIGUSR2');
  await held.arrived;
  links.asked.length = 0;
  killed.signal('SIGKILL');
  await killed.finished;
  const others = await Promise.all([1, 2].map(() => links.startAsker(userId, HOUR_MS + MINUTE_MS)));
  for (const other of others) other.signal('SIGUSR2');
  for (const other of others) await other.printed('round 1: [2]');
  expect(links.asked.filter((path) => path === '/token')).toHaveLength(1);
  await using again = links.openAgain();
  await links.clock.advance(HOUR_MS + MINUTE_MS);
  expect(await again.tokens.current(userId, WORK)).toMatchObject({ version: 2 });
});
