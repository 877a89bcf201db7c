import { afterAll } from 'bun:test';
import { type RedisServerOptions, startRedis } from '../support/redis-server.ts';
import { sessionNodes } from '../support/session-nodes.ts';
import { describeSessionEvents } from './session-events.ts';

/** One server for each, emptied before every test. */
async function describeOverRedis(name: string, options: RedisServerOptions): Promise<void> {
  const server = await startRedis(options);
  afterAll(() => server[Symbol.asyncDispose]());
  describeSessionEvents(name, async () => {
    await server.client().flushall();
    const { first: here, second: there, ...nodes } = await sessionNodes(server);
    return { here, there, [Symbol.asyncDispose]: () => nodes[Symbol.asyncDispose]() };
  });
}

await describeOverRedis('two processes and Redis', {});
await describeOverRedis('two processes and Redis with TLS and a password', {
  tls: true,
  password: 'secret ✓',
});
