import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { configSchema } from '../../../src/config/schema.ts';
import { DataDirectoryInUse } from '../../../src/db/lock.ts';
import { RoleTaken } from '../../../src/db/roles.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { openServices } from '../../../src/services.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { errorOf } from '../../support/error-of.ts';
import { otherProcess } from '../../support/other-process.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';
import { recordedLog } from '../../support/silent-log.ts';

setDefaultTimeout(30_000);

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.[Symbol.asyncDispose]());

describe('services on a shared data directory', () => {
  const place = () => {
    const directory = temporaryDirectory();
    const dataDir = `${directory.path}/data`;
    mkdirSync(dataDir, { mode: 0o700 });
    const open = (more: object = {}, serves = false) => {
      const config = configSchema.parse({ data_dir: dataDir, redis: { url: redis.url }, ...more });
      return openServices(config, { clock: systemClock, log: recordedLog(), serves });
    };
    return { dataDir, open, [Symbol.dispose]: () => directory[Symbol.dispose]() };
  };

  test('are not migrated beside others, and then work beside others', async () => {
    using here = place();
    const other = await otherProcess(here.dataDir, 'shared');
    expect(other.said).toBe('held');
    const refusal = await errorOf(here.open());
    expect(refusal).toBeInstanceOf(DataDirectoryInUse);
    expect(refusal).toMatchObject({
      message: expect.stringContaining(
        'the database has to be migrated, so every other node has to end first',
      ),
    });
    await other.end(undefined);
    await using _first = await here.open();
    await using second = await here.open();
    await using late = await otherProcess(here.dataDir, 'shared');
    expect([late.said, second.leadership.isLeader]).toEqual(['held', false]);
  });

  test('have roles only where they serve', async () => {
    using here = place();
    await using command = await here.open({ node: 'command' });
    expect([command.seats.hub.isHere, command.seats.hub.holder()]).toEqual([false, undefined]);
    await using server = await here.open({ node: 'server', roles: ['hub'] }, true);
    expect([server.seats.hub.isHere, server.seats.broker.isHere]).toEqual([true, false]);
    const refusal = await errorOf(here.open({ node: 'late' }, true));
    expect(refusal).toBeInstanceOf(RoleTaken);
    expect(refusal).toMatchObject({ message: expect.stringContaining('the node "server" is hub already') });
    // What it had taken before it was refused is free again.
    await using broker = await here.open({ node: 'broker', roles: ['broker'] }, true);
    expect(broker.seats.broker.isHere).toBe(true);
  });
});
