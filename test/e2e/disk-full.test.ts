import { Database } from 'bun:sqlite';
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { binary } from '../support/appliance.ts';
import { Browser, type Visit } from '../support/browser.ts';
import { eventStreamReader } from '../support/event-stream-reader.ts';
import { freePort } from '../support/free-port.ts';
import { type LoopbackSite, loopbackSite } from '../support/loopback-site.ts';
import { figureOf } from '../support/metrics-of.ts';
import { startOidcProvider } from '../support/oidc-provider.ts';
import { workplace } from '../support/program.ts';
import { limitedFiles, type ScarceDisk, smallFileSystem } from '../support/scarce-disk.ts';
import { CLIENT_ID, providerTable, siteRegistration } from '../support/sign-in.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);

const TOML = `[sessions]
touch_interval = "100ms"
`;

const api = (site: LoopbackSite, browser: Browser, method: string, path: string, body?: unknown) =>
  browser.fetch(site.url(path), {
    method,
    headers: { origin: site.origin, accept: 'application/json', 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

const isIn = async (site: LoopbackSite, browser: Browser) => {
  const { status } = await api(site, browser, 'GET', '/api/v1/session');
  expect([200, 401]).toContain(status);
  return status === 200;
};

const idOf = async (site: LoopbackSite, browser: Browser) => {
  const response = await api(site, browser, 'GET', '/api/v1/session');
  const { session, user } = (await response.json()) as { session: { id: string }; user: { id: string } };
  return { session: session.id, user: user.id };
};

/** What every refusal for lack of space looks like. */
async function expectOutage(response: Response): Promise<void> {
  expectOutagePage({ response, text: await response.text() });
}

function expectOutagePage({ response, text }: Pick<Visit, 'response' | 'text'>): void {
  expect([response.status, text]).toEqual([503, expect.stringContaining('cannot take this right now')]);
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(text).not.toMatch(/sqlite|disk|full/i);
}

/** Makes tokens until one is refused; the answered ones have to stay. */
async function makeTokensUntilFull(site: LoopbackSite): Promise<string[]> {
  const secrets: string[] = [];
  for (;;) {
    const wanted = { label: 'filler', scopes: ['sessions:read'], expires_in: 3_600 };
    const response = await api(site, site.owner, 'POST', '/api/v1/tokens', wanted);
    if (response.status !== 201) {
      await expectOutage(response);
      return secrets;
    }
    const { secret } = (await response.json()) as { secret: string };
    site.secrets.add(secret);
    secrets.push(secret);
  }
}

const isGood = async (site: LoopbackSite, token: string) =>
  (await fetch(site.url('/api/v1/session'), { headers: { authorization: `Bearer ${token}` } })).status ===
  200;

function statusesOf({ appliance }: LoopbackSite, ids: readonly string[]): string[] {
  using database = new Database(join(appliance.dataDir, 'postern.db'), { readwrite: true });
  const query = database.query<{ status: string }, [string]>('SELECT status FROM sessions WHERE id = ?');
  return ids.map((id) => query.get(id)?.status ?? 'absent');
}

/** CPU time that a process has used, in clock ticks of 10 ms (`man 5 proc_pid_stat`). */
function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

const DISKS: readonly (readonly [string, () => ScarceDisk])[] = [
  // Without the right to mount, the other way to run out of space is the same to SQLite as a broken disk.
  ['a full file system', () => smallFileSystem() ?? limitedFiles()],
  ['a limit on the size of files', limitedFiles],
];

describe.each(DISKS)('%s', (_, makeDisk) => {
  test('refuses what it cannot keep, ends all the same what is to end, and recovers by itself', async () => {
    using disk = makeDisk();
    const port = freePort();
    await using provider = await startOidcProvider({ clients: [siteRegistration(port, 'home')] });
    const toml = () => TOML + providerTable('home', provider.issuer);
    await using site = await loopbackSite({ port, directory: disk.path, toml });
    const { appliance } = site;
    const gus = new Browser();
    await provider.signIn(gus, await gus.visit(site.url('/sign-in/home')), 'gus');
    const [ada1, ada2] = [await site.addPerson('ada'), await site.signIn('ada')];
    const bobs = [await site.addPerson('bob'), await site.signIn('bob')] as const;
    const [cat1, cat2] = [await site.addPerson('cat'), await site.signIn('cat')];
    const [eve, fox] = [await site.addPerson('eve'), await site.addPerson('fox')];
    const toEnd = [ada1, ...bobs, cat2, eve, gus, fox];
    const ids = await Promise.all(toEnd.map(async (browser) => (await idOf(site, browser)).session));
    const eveId = (await idOf(site, eve)).user;
    const stream = eventStreamReader(await api(site, ada1, 'GET', '/api/v1/sessions/events'));
    expect(await stream.block()).toBe(': open');

    disk.fill(appliance.process.pid);
    const tokens = await makeTokensUntilFull(site);
    expectOutagePage(await site.tryPassword('ada'));

    expectOutagePage(await ada1.submit(site.url('/sign-out')));
    await expectOutage(await api(site, bobs[0], 'DELETE', '/api/v1/sessions'));
    await expectOutage(await api(site, cat1, 'DELETE', '/api/v1/sessions?keep=current'));
    await expectOutage(
      await api(site, site.owner, 'PATCH', `/api/v1/users/${eveId}`, { status: 'disabled' }),
    );
    const logOut = provider.logOut(CLIENT_ID, { subject: 'gus', sid: provider.sidOf('gus') });
    expect(await logOut.then(() => 'accepted', String)).toContain('503');
    const command = await appliance.run('session', 'end', ids.at(-1) ?? '');
    expect(command).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('disk of the data directory'),
    });
    expect((await stream.rest()).at(-1)).toMatchObject({ event: 'end' });
    const refused = await Promise.all(toEnd.map((browser) => isIn(site, browser)));
    expect(refused).toEqual(toEnd.map(() => false));
    const spared = [ada2, cat1, site.owner];
    expect(await Promise.all(spared.map((browser) => isIn(site, browser)))).toEqual([true, true, true]);
    expect(statusesOf(site, ids)).toEqual(ids.map(() => 'active'));
    expect(appliance.process.err()).toMatch(/disk of the data directory/);

    await expectIdle(site);
    disk.free(appliance.process.pid);
    await until('the ends are written', () => statusesOf(site, ids).every((status) => status === 'revoked'));
    const again = [await site.signIn('bob'), await site.signIn('eve')];
    await until('touches are written', async () => (await roundsOf(site, 'success')) > 5);

    await appliance.restart('SIGKILL');
    const after = await Promise.all(toEnd.map((browser) => isIn(site, browser)));
    expect(after).toEqual(toEnd.map(() => false));
    const alive = await Promise.all([...spared, ...again].map((browser) => isIn(site, browser)));
    expect(alive).toEqual(alive.map(() => true));
    for (const token of tokens) expect(await isGood(site, token)).toBe(true);
    expect((await appliance.stop()).exitCode).toBe(0);
    for (const secret of site.secrets) expect(appliance.printed()).not.toContain(secret);
  });
});

test('on a full disk it starts all the same, with everything that was answered', async () => {
  using disk = smallFileSystem() ?? limitedFiles();
  await using site = await loopbackSite({ directory: disk.path, toml: () => TOML });
  const { appliance } = site;
  disk.fill(appliance.process.pid);
  const tokens = await makeTokensUntilFull(site);
  await appliance.stop('SIGKILL');
  await appliance.start();
  expect(await isIn(site, site.owner)).toBe(true);
  for (const token of tokens) expect(await isGood(site, token)).toBe(true);
});

test('from nothing on a disk without room it says what is missing, for every size', async () => {
  for (const kib of [8, 16, 64]) {
    await using place = workplace(['bash', '-c', `ulimit -f ${kib}; exec "$@"`, 'bash', binary()]);
    const { exitCode, err } = await place.run('serve');
    const line = err.trimEnd().split('\n').at(-1);
    expect([kib, exitCode, line]).toEqual([kib, 1, expect.stringContaining('disk of the data directory')]);
  }
});

const roundsOf = ({ appliance }: LoopbackSite, outcome: 'success' | 'failure') =>
  figureOf(appliance.metricsPort, `postern_loop_rounds_total{loop="touches",outcome="${outcome}"}`);

/** Rounds fail, at their usual pace. */
async function expectIdle(site: LoopbackSite): Promise<void> {
  const { pid } = site.appliance.process;
  const [ticks, failures] = [ticksOf(pid), await roundsOf(site, 'failure')];
  await until('ten rounds have failed', async () => (await roundsOf(site, 'failure')) >= failures + 10);
  expect(ticksOf(pid) - ticks).toBeLessThan(60);
}
