import { describe, expect, test } from 'bun:test';
import type { UserId } from '../../../src/users/model.ts';
import type { Browser } from '../../support/browser.ts';
import { type LinkSite, linkSite, TASKS, WORK } from '../../support/linked-accounts.ts';
import { settle } from '../../support/manual-clock.ts';
import { holdTokens } from '../../support/token-endpoint.ts';

type Act = (links: LinkSite, who: { browser: Browser; userId: UserId }) => Promise<unknown>;

const ACTS: readonly (readonly [name: string, act: Act])[] = [
  ['unlinks', ({ site }, { browser }) => site.post(browser, `/account/links/${WORK}/unlink`)],
  ['signs out everywhere', ({ site }, { browser }) => site.post(browser, '/account/sessions/end-all')],
  ['is disabled', ({ site }, { userId }) => site.accounts.people.acts.disable(userId, {})],
  ['is removed', ({ site }, { userId }) => site.accounts.people.acts.remove(userId, {})],
];

const grantsOf = async ({ site }: LinkSite, userId: UserId) =>
  (await site.accounts.base.ledger.list(userId)).filter(({ label }) => label === TASKS);

describe.each(['asked', 'answered'] as const)('while the provider has been %s for new tokens', (step) => {
  test.each(ACTS)('somebody who %s stays without access', async (_name, act) => {
    await using links = await linkSite();
    const who = await links.linked('ada');
    const { tokens } = links.site.upstream;
    await links.site.signedIn('an-owner', 'owner');
    await links.clock.advance(61 * 60_000);
    const held = holdTokens(links, step);
    const asking = tokens.current(who.userId, WORK).then(
      () => undefined,
      () => undefined,
    );
    await held.arrived;
    await act(links, who);
    held.release();
    await asking;
    await settle();
    expect(await grantsOf(links, who.userId)).toEqual([]);
    expect(links.site.accounts.base.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    // Whatever is left of the link is whole: it gives a token, or there is none.
    const isLinked = tokens.isLinked(who.userId, WORK);
    expect((await tokens.current(who.userId, WORK)) !== undefined).toBe(isLinked);
  });

  test('the end of the process loses nothing that was answered', async () => {
    await using links = await linkSite();
    const { userId } = await links.linked('ada');
    await links.clock.advance(61 * 60_000);
    const held = holdTokens(links, step);
    const asking = links.site.upstream.tokens.current(userId, WORK);
    await held.arrived;
    const ending = links.site.upstream[Symbol.asyncDispose]();
    held.release();
    expect(await asking).toMatchObject({ version: 2 });
    await ending;
    await using later = links.openAgain();
    later.setDependents(() => []);
    await links.clock.advance(61 * 60_000);
    expect(await later.tokens.current(userId, WORK)).toMatchObject({ version: 3 });
  });
});

test('a hundred callers and a rotator at the same moment make one request', async () => {
  await using links = await linkSite();
  const { userId } = await links.linked('ada');
  await links.clock.advance(61 * 60_000);
  links.site.upstream.setDependents(() => [{ userId, provider: WORK }]);
  links.asked.length = 0;
  const { tokens, rotate } = links.site.upstream;
  const all = await Promise.all([
    ...Array.from({ length: 50 }, () => tokens.current(userId, WORK)),
    rotate().then(() => tokens.current(userId, WORK)),
    ...Array.from({ length: 50 }, () => tokens.current(userId, WORK)),
  ]);
  expect(new Set(all.map((token) => token?.version))).toEqual(new Set([2]));
  expect(links.asked.filter((path) => path === '/token')).toHaveLength(1);
});
