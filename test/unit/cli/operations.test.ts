import { expect, test } from 'bun:test';
import { performOperation } from '../../../src/cli/operations.ts';
import { keys } from '../../../src/ops/keys.ts';
import { testDevices } from '../../support/devices.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { temporaryAccounts } from '../../support/local-accounts.ts';
import { testUpstream } from '../../support/upstream.ts';

test('a person is made together with the link that lets them in, or not at all', async () => {
  await using accounts = temporaryAccounts();
  const { db, ledger } = accounts.base;
  const { people } = accounts;
  const { invitations } = accounts.local;
  const reap = async () => ({ suspended: true as const });
  const { audit, clock } = accounts.base;
  const services = {
    ...testDevices(accounts.base),
    origin: { origin: TEST_ORIGIN },
    db,
    people,
    ledger,
    invitations,
    reap,
    upstream: testUpstream(accounts),
    keys: keys({ db, audit, clock, changeSecret: () => undefined, tasks: [] }),
    node: 'pi-1',
    seats: { broker: { isHere: true }, hub: { isHere: false } },
  };
  const noLink = {
    ...invitations,
    issueResetIn: () => {
      throw new Error('the disk is full');
    },
  };
  const ada = { username: 'ada', role: 'member' };
  expect(await performOperation(services, 'status', {})).toEqual({ node: 'pi-1', roles: ['broker'] });
  const create = (given: typeof services) => performOperation(given, 'user.create', ada);

  expect(await create({ ...services, invitations: noLink }).catch((error: unknown) => error)).toMatchObject({
    message: 'the disk is full',
  });
  expect(people.store.findByUsername('ada')).toBeUndefined();
  expect(await create(services)).toMatchObject({ user: { username: 'ada' }, link: expect.any(String) });
});
