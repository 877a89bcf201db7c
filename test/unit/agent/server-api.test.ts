import { expect, test } from 'bun:test';
import { askServer } from '../../../src/agent/server-api.ts';
import { systemClock } from '../../../src/lib/clock.ts';

const SERVER_SECONDS = Date.UTC(2030, 0, 1) / 1_000;

function answering(body: unknown, type: string) {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => new Response(JSON.stringify(body), { status: 401, headers: { 'content-type': type } }),
  });
  return {
    ask: () => askServer({ method: 'GET', url: server.url }, { clock: systemClock, ca: undefined }),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

test('the time of a server is what its refusal says, whatever a proxy writes as Date', async () => {
  const refusal = { code: 'signature_stale', server_time: SERVER_SECONDS };
  await using server = answering(refusal, 'application/problem+json');
  expect(await server.ask()).toMatchObject({
    code: 'signature_stale',
    serverMs: SERVER_SECONDS * 1_000,
  });
});

test.each([
  ['a refusal that does not tell it', { code: 'signature_missing' }, 'application/problem+json'],
  ['an answer that is no refusal', { server_time: SERVER_SECONDS }, 'application/json'],
])('of %s it is the Date', async (_, body, type) => {
  await using server = answering(body, type);
  const { serverMs = 0 } = await server.ask();
  expect(Math.abs(serverMs - Date.now())).toBeLessThan(5_000);
});
