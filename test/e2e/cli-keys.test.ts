import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { loopbackSite } from '../support/loopback-site.ts';
import { PROGRAMS, workplace } from '../support/program.ts';
import { startRedis } from '../support/redis-server.ts';

setDefaultTimeout(60_000);

const GIVEN = 'a-secret-of-somebody-that-is-long-enough';

describe.each(PROGRAMS)('keys and rotate, %s', (_name, command) => {
  test('a new secret is made beside the running server, and without one; the old ones are kept', async () => {
    await using place = workplace(command);
    const file = (name: string) => readFileSync(join(place.dataDir, name), 'utf8').trim();
    const server = await place.serve();
    const first = file('secret');
    expect(await place.run('keys', 'rotate')).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(/new one[^]*upstream_grants +0\n[^]*session_id_tokens +0/),
    });
    const second = file('secret');
    expect(second).not.toBe(first);
    expect(file('previous-secrets')).toBe(first);
    expect((await fetch(`${place.url}/readyz`)).status).toBe(200);
    expect(await place.run('rotate')).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(/refreshed +0/),
    });
    server.signal('SIGTERM');
    expect((await server.finished).exitCode).toBe(0);

    expect(await place.run('keys', 'rotate')).toMatchObject({ exitCode: 0 });
    expect(file('previous-secrets').split('\n')).toEqual([second, first]);
    expect(await place.run('keys', 'reseal')).toMatchObject({ exitCode: 0 });
    expect(await place.run('rotate')).toMatchObject({ exitCode: 0 });
    for (const { out, err } of [await place.run('keys', 'rotate')])
      for (const secret of [first, second, file('secret')]) expect(out + err).not.toContain(secret);
    await using again = await place.serve();
    expect((await fetch(`${place.url}/readyz`)).status).toBe(200);
    again.signal('SIGTERM');
    await again.finished;
  });

  test('a secret of the configuration is not replaced, and what to do is told', async () => {
    await using place = workplace(command, { POSTERN_SECRET: GIVEN });
    const server = await place.serve();
    server.signal('SIGTERM');
    await server.finished;
    const refused = await place.run('keys', 'rotate');
    expect(refused.exitCode).toBe(1);
    expect(refused.err).toContain('previous_secrets');
    expect(refused.err).not.toContain(GIVEN);
    expect(await place.run('keys', 'reseal')).toMatchObject({ exitCode: 0 });
    expect(await place.run('keys')).toMatchObject({ exitCode: 2 });
    expect(await place.run('keys', 'forget')).toMatchObject({ exitCode: 2 });
  });
});

describe('with Redis', () => {
  test('the secret is changed while no server runs, and sessions that lie in Redis stay good', async () => {
    await using redis = await startRedis();
    await using site = await loopbackSite({ toml: () => redis.toml() });
    const { appliance, owner } = site;
    const status = async (browser: typeof owner) => (await browser.fetch(site.url('/api/v1/session'))).status;
    const secret = () => readFileSync(join(appliance.dataDir, 'secret'), 'utf8');
    const before = secret();
    const refused = await appliance.run('keys', 'rotate');
    expect(refused).toMatchObject({ exitCode: 1, err: expect.stringContaining('end every node') });
    expect(secret()).toBe(before);
    expect(await appliance.run('keys', 'reseal')).toMatchObject({ exitCode: 0 });

    await appliance.stop();
    expect(await appliance.run('keys', 'rotate')).toMatchObject({ exitCode: 0 });
    expect(secret()).not.toBe(before);
    await appliance.start();
    const since = await site.signIn('owner');
    expect([await status(owner), await status(since)]).toEqual([200, 200]);
    expect(await appliance.run('session', 'end-all', 'owner')).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('ended 2 sessions'),
    });
    expect([await status(owner), await status(since)]).toEqual([401, 401]);

    // Without the secret before, what was sealed with it is nobody's.
    const kept = await site.signIn('owner');
    await appliance.stop();
    expect(await appliance.run('keys', 'rotate')).toMatchObject({ exitCode: 0 });
    rmSync(join(appliance.dataDir, 'previous-secrets'));
    await appliance.start();
    expect(await status(kept)).toBe(401);
  });
});
