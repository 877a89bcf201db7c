import { expect, test } from 'bun:test';
import { page, section, tableNames } from '../../support/documentation.ts';
import { freePort } from '../../support/free-port.ts';
import { PROGRAMS, workplace } from '../../support/program.ts';
import { startRedis } from '../../support/redis-server.ts';

const OPERATIONS = page('docs/operations.md');
const [program] = PROGRAMS;

test('docs/operations.md has every metric of the running program, and no other', async () => {
  const nowhere = `http://127.0.0.1:${freePort()}`;
  await using redis = await startRedis();
  await using place = workplace(program?.[1] ?? [], {
    ...redis.env,
    POSTERN_PROVIDER_HOME_ISSUER: nowhere,
    POSTERN_PROVIDER_HOME_CLIENT_ID: 'postern',
    POSTERN_PROVIDER_HOME_CLIENT_SECRET: 'a-secret',
    POSTERN_PROVIDER_HOME_ALLOW: 'everyone',
    POSTERN_UPSTREAM_PROVIDER_CODE_KIND: 'forgejo',
    POSTERN_UPSTREAM_PROVIDER_CODE_ISSUER: nowhere,
    POSTERN_UPSTREAM_PROVIDER_CODE_CLIENT_ID: 'postern',
    POSTERN_UPSTREAM_PROVIDER_CODE_CLIENT_SECRET: 'a-secret',
  });
  await using server = await place.serve();
  const post = (path: string, form: Record<string, string>) =>
    fetch(place.url + path, {
      method: 'POST',
      headers: { origin: place.url },
      body: new URLSearchParams(form),
    });
  expect((await post('/sign-in', { username: 'nobody', password: 'no such password' })).status).toBe(401);
  expect((await post('/backchannel-logout/home', { logout_token: 'x' })).status).toBe(503);

  const metrics = await fetch(`http://${place.env['POSTERN_METRICS_LISTEN']}/metrics`);
  const text = await metrics.text();
  const running = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => `${name} ${kind}`);
  const rows = section(OPERATIONS, 'Metrics').matchAll(/^\| `(\w+)` +\| (\w+) +\|/gm);
  const described = [...rows].map(([, name, kind]) => `${name} ${kind}`);
  expect(described.toSorted()).toEqual(running.toSorted());
  server.signal('SIGTERM');
  await server.finished;
});

test('alerts ask for metrics that there are', () => {
  const described = tableNames(OPERATIONS, 'Metrics');
  const asked = [...section(OPERATIONS, 'Alerts worth having').matchAll(/\bpostern_\w+/g)];
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.map(([name]) => name).filter((name) => !described.includes(name))).toEqual([]);
});
