import { describe, expect, test } from 'bun:test';
import { RoleTaken, roleHolder, takeRole } from '../../../src/db/roles.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { otherProcess } from '../../support/other-process.ts';

describe('a role', () => {
  test('belongs to one node, whose name the others read', async () => {
    using directory = temporaryDirectory();
    expect(roleHolder(directory.path, 'broker')).toBeUndefined();
    await using other = await otherProcess(directory.path, 'broker', 'pi-1');
    expect(other.said).toBe('held');
    expect(roleHolder(directory.path, 'broker')).toBe('pi-1');
    expect(() => takeRole(directory.path, 'broker', 'pi-2')).toThrow(
      'the node "pi-1" is broker already; leave broker out of roles here, or end that node',
    );
    expect(() => takeRole(directory.path, 'broker', 'pi-2')).toThrow(RoleTaken);
    expect(roleHolder(directory.path, 'broker')).toBe('pi-1');
  });

  test('is freed by any death, and then has another’s name', async () => {
    using directory = temporaryDirectory();
    await using other = await otherProcess(directory.path, 'hub', 'pi-1');
    await other.end('SIGKILL');
    expect(roleHolder(directory.path, 'hub')).toBeUndefined();
    const ours = takeRole(directory.path, 'hub', 'pi-2');
    expect(roleHolder(directory.path, 'hub')).toBe('pi-2');
    await using late = await otherProcess(directory.path, 'hub', 'pi-3');
    expect(late.said).toContain('the node "pi-2" is hub already');
    ours[Symbol.dispose]();
    expect(roleHolder(directory.path, 'hub')).toBeUndefined();
  });

  test('says nothing of the other role', () => {
    using directory = temporaryDirectory();
    using _broker = takeRole(directory.path, 'broker', 'pi-1');
    expect(roleHolder(directory.path, 'hub')).toBeUndefined();
    using _hub = takeRole(directory.path, 'hub', 'pi-2');
    expect([roleHolder(directory.path, 'broker'), roleHolder(directory.path, 'hub')]).toEqual([
      'pi-1',
      'pi-2',
    ]);
  });

  test('goes to one of many that ask at once', async () => {
    using directory = temporaryDirectory();
    const all = await Promise.all(
      Array.from({ length: 6 }, (_, at) => otherProcess(directory.path, 'hub', `node-${at}`)),
    );
    const winners = all.flatMap(({ said }, at) => (said === 'held' ? [`node-${at}`] : []));
    expect(winners.length).toBeLessThanOrEqual(1);
    expect(roleHolder(directory.path, 'hub')).toBe(winners[0]);
    for (const each of all) await each[Symbol.asyncDispose]();
  });
});
