import { expect, test } from 'bun:test';
import { addDemoUser } from '../../../src/sign-in/demo.ts';
import { openPeople } from '../../../src/users/open-people.ts';
import { passwordHasher } from '../../../src/users/password-hash.ts';
import { temporaryLedger } from '../../support/ledger.ts';

/** What `addDemoUser` needs, over a database of its own. */
function appliance() {
  const { ledger, db, clock, audit, ...rest } = temporaryLedger();
  const people = openPeople({ db, clock, audit, sessions: ledger });
  return {
    db,
    clock,
    people,
    hasher: passwordHasher(),
    [Symbol.asyncDispose]: () => rest[Symbol.asyncDispose](),
  };
}

test('the demo user is the owner where nobody was before, and signs in with the password that was told', async () => {
  await using deps = appliance();
  const demo = await addDemoUser(deps);
  const user = deps.people.store.findByUsername('demo');
  expect(user).toMatchObject({ role: 'owner', status: 'active' });
  const stored = user && deps.people.passwords.find(user.id);
  expect(await deps.hasher.verify(demo?.password ?? '', stored?.hash, 'known')).toBe(true);
});

test('it is a member where somebody was', async () => {
  await using deps = appliance();
  const { db, people } = deps;
  await db.write((tx) => people.acts.createLocal(tx, { username: 'ada', role: 'owner', by: {} }));
  await addDemoUser(deps);
  expect(people.store.findByUsername('demo')).toMatchObject({ role: 'member' });
});

test('it is added once, and does not come back after it was removed', async () => {
  await using deps = appliance();
  const { db, people } = deps;
  await db.write((tx) => people.acts.createLocal(tx, { username: 'ada', role: 'owner', by: {} }));
  await addDemoUser(deps);
  expect(await addDemoUser(deps)).toBeUndefined();
  const demo = people.store.findByUsername('demo');
  if (demo !== undefined) await people.acts.remove(demo.id, {});
  expect(await addDemoUser(deps)).toBeUndefined();
  expect(people.store.list().map(({ username }) => username)).toEqual(['ada']);
});
