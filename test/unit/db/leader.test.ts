import { describe, expect, test } from 'bun:test';
import { sharedLeadership, soleLeader } from '../../../src/db/leader.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { otherProcess } from '../../support/other-process.ts';

describe('of several processes', () => {
  test('one leads, from when it is first asked until it ends', async () => {
    using directory = temporaryDirectory();
    const first = sharedLeadership(directory.path);
    using second = sharedLeadership(directory.path);
    expect([first.isLeader, second.isLeader]).toEqual([false, false]);
    expect([first.lead(), second.lead(), first.lead()]).toEqual([true, false, true]);
    expect([first.isLeader, second.isLeader]).toEqual([true, false]);
    await using other = await otherProcess(directory.path, 'leader');
    expect(other.said).toContain('somebody else leads');
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect([first.isLeader, second.lead(), first.lead()]).toEqual([false, true, false]);
  });

  test('another takes over when the leader is killed', async () => {
    using directory = temporaryDirectory();
    await using other = await otherProcess(directory.path, 'leader');
    expect(other.said).toBe('held');
    using ours = sharedLeadership(directory.path);
    expect([ours.lead(), ours.lead()]).toEqual([false, false]);
    await other.end('SIGKILL');
    expect(ours.lead()).toBe(true);
  });

  test('one that is alone leads without a file', () => {
    expect([soleLeader.lead(), soleLeader.isLeader]).toEqual([true, true]);
  });
});
