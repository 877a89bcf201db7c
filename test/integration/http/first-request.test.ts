import { expect, test } from 'bun:test';
import { newRouter } from '../../../src/http/router.ts';
import { SERVED_HOST, temporaryServer } from '../../support/http-server.ts';

/** An application that is made when told, or fails. */
function lateApplication() {
  const router = newRouter().get('/page', () => new Response('a page'));
  const attempts: PromiseWithResolvers<typeof router>[] = [];
  const app = () => {
    const attempt = Promise.withResolvers<typeof router>();
    attempts.push(attempt);
    return attempt.promise;
  };
  return { app, attempts, router };
}

const ask = (port: number, path: string, method = 'GET') =>
  fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { host: SERVED_HOST } });

test('what native routes answer needs no application', async () => {
  const { app, attempts } = lateApplication();
  const probeRoutes = { '/healthz': () => new Response('fine') };
  await using server = temporaryServer(undefined, { app, probeRoutes });
  expect((await ask(server.port, '/healthz')).status).toBe(200);
  expect(attempts).toHaveLength(0);
});

test('the first requests wait for one and the same application', async () => {
  const { app, attempts, router } = lateApplication();
  const asked = Promise.withResolvers<void>();
  const noticing = () => {
    asked.resolve();
    return app();
  };
  await using server = temporaryServer(undefined, { app: noticing });
  const answers = Promise.all([
    ...Array.from({ length: 20 }, () => ask(server.port, '/page')),
    ask(server.port, '/page', 'HEAD'),
    ask(server.port, '/page', 'PUT'),
    ask(server.port, '/nothing'),
  ]);
  await asked.promise;
  attempts[0]?.resolve(router);
  const statuses = (await answers).map(({ status }) => status);
  expect(statuses).toEqual([...Array.from({ length: 21 }, () => 200), 405, 404]);
  expect(attempts).toHaveLength(1);
});

test('an application that fails to load is told of, and tried again', async () => {
  let tries = 0;
  const { router } = lateApplication();
  const app = async () => {
    tries++;
    if (tries === 1) throw new Error('a module is broken');
    return router;
  };
  await using server = temporaryServer(undefined, { app });
  expect((await ask(server.port, '/page')).status).toBe(500);
  const errors = server.log.lines.filter(({ level }) => level === 'error');
  expect(errors.map(({ fields }) => String(fields['error']))).toEqual(['Error: a module is broken']);
  expect((await ask(server.port, '/page')).status).toBe(200);
});
