import { expect, test } from 'bun:test';
import { upstreamGrants, userSecrets } from '../../../src/db/schema/index.ts';
import { keyRing } from '../../../src/lib/key-ring.ts';
import { keys } from '../../../src/ops/keys.ts';
import { endEverything } from '../../../src/ops/store-restored.ts';
import { TEST_SECRET } from '../../support/ledger.ts';
import { linkSite, TASKS, WORK } from '../../support/linked-accounts.ts';

const NEW_SECRET = new Uint8Array(32).fill(21);

test('with a new secret everything is sealed anew, opens without the old one, and goes on', async () => {
  await using links = await linkSite();
  const { userId } = await links.linked('ada');
  const { db, audit, clock } = links.site.accounts.base;
  await links.site.upstream.secrets.store('TOKEN', 'a-pasted-token', { userId });
  const ring = keyRing([TEST_SECRET]);
  await using running = links.openAgain(ring);
  running.setDependents(() => []);
  const before = await running.tokens.current(userId, WORK);
  const sealed = () => [
    ...db.reader
      .select()
      .from(upstreamGrants)
      .all()
      .flatMap((row) => [row.sealedAccessToken, row.sealedRefreshToken]),
    ...db.reader
      .select()
      .from(userSecrets)
      .all()
      .map((row) => row.sealed),
  ];
  const old = sealed();
  const secretKeys = keys({
    db,
    audit,
    clock,
    changeSecret: () => ring.change([NEW_SECRET, TEST_SECRET]),
    tasks: running.resealTasks,
  });
  expect(await secretKeys.rotate()).toEqual({ upstream_grants: 1, user_secrets: 1 });
  expect(sealed()).toHaveLength(old.length);
  for (const each of sealed()) expect(old).not.toContain(each);
  expect(await running.tokens.current(userId, WORK)).toEqual(before);

  await using later = links.openAgain(keyRing([NEW_SECRET]));
  later.setDependents(() => []);
  expect(await later.tokens.current(userId, WORK)).toEqual(before);
  expect(later.tokens.secret(userId, 'TOKEN')).toBe('a-pasted-token');
  await links.clock.advance(56 * 60_000);
  expect(await later.tokens.current(userId, WORK)).toMatchObject({ version: 2 });
  expect(await links.site.accounts.actions()).toContain('keys.rotated');

  await using never = links.openAgain(keyRing([TEST_SECRET]));
  expect(never.tokens.secret(userId, 'TOKEN')).toBeUndefined();
  expect(await never.tokens.current(userId, WORK)).toBeUndefined();
});

test('after a restore accounts have to be linked again, and pasted secrets are still there', async () => {
  await using links = await linkSite();
  const { userId, browser } = await links.linked('ada');
  const { db, clock, ledger } = links.site.accounts.base;
  await links.site.upstream.secrets.store('TOKEN', 'a-pasted-token', { userId });
  await db.write((tx) => endEverything(tx, clock.now(), { keepDevices: false }));
  const [row] = db.reader.select().from(upstreamGrants).all();
  expect(row).toMatchObject({
    status: 'link_again',
    endReason: 'restored',
    sealedAccessToken: null,
    sealedRefreshToken: null,
  });
  expect(await links.site.upstream.tokens.current(userId, WORK)).toBeUndefined();
  expect(links.site.upstream.tokens.secret(userId, 'TOKEN')).toBe('a-pasted-token');
  expect((await ledger.list(userId)).map(({ label }) => label)).not.toContain(TASKS);
  await links.site.signIn(browser, 'ada');
  await links.link(browser, 'ada-at-work');
  expect(await links.site.upstream.tokens.current(userId, WORK)).toMatchObject({ version: 2 });
});
