import { expect, test } from 'bun:test';
import { addDemoDevices } from '../../../src/devices/demo.ts';
import { testDevices } from '../../support/devices.ts';
import { TEST_ORIGIN, temporaryLedger } from '../../support/ledger.ts';

test('the demo has devices to look at, and a code for one more', async () => {
  await using base = temporaryLedger();
  const { devices } = testDevices(base);
  const userId = await base.addUser('demo');
  const link = await addDemoDevices({ db: base.db, devices }, userId);
  expect(link).toStartWith(`${TEST_ORIGIN}/pair#`);
  expect(devices.pairings.list(userId)).toHaveLength(1);
  const handles = devices.devices.list(userId).map(({ handle }) => handle);
  expect(handles).toEqual(['garden-camera', 'kitchen-display']);
});
