import { afterAll, beforeAll } from 'bun:test';
import { startRedis, type TestRedis } from '../support/redis-server.ts';
import { sharedLedger } from '../support/shared-ledger.ts';
import { describeLedger } from './ledger.ts';

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

describeLedger('Redis', (options) => sharedLedger(server, options));
