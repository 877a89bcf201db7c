import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { databasePath } from '../../src/db/files.ts';
import { openDatabase, readDatabase } from '../../src/db/open.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { SessionId } from '../../src/sessions/model.ts';
import { movingStore } from '../../src/sessions/store-moving.ts';
import { binary } from '../support/appliance.ts';
import type { Browser } from '../support/browser.ts';
import { type BusyPerson, busyPerson } from '../support/busy-person.ts';
import { holderOf } from '../support/holdings.ts';
import { type LoopbackSite, loopbackSite, PASSWORD } from '../support/loopback-site.ts';
import { copySession } from '../support/many-sessions.ts';
import { startProgram } from '../support/program.ts';
import { seededRandom } from '../support/random.ts';
import { startRedis, type TestRedis } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(120_000);

const SEED = Number(process.env['POSTERN_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const ACTS = 30;
const MANY = 3_000;
/** How often the move of one direction is killed before it may end. */
const KILLS = 3;

interface MoveSite extends AsyncDisposable {
  site: LoopbackSite;
  redis: TestRedis;
  /** Writes `postern.toml` with or without the table of Redis. */
  configure(redis: 'on' | 'off'): void;
  move(to: 'redis' | 'sqlite'): ReturnType<LoopbackSite['appliance']['run']>;
}

async function moveSite(): Promise<MoveSite> {
  await using starting = new AsyncDisposableStack();
  const redis = starting.use(await startRedis());
  const site = starting.use(await loopbackSite());
  const file = join(site.appliance.directory, 'postern.toml');
  const plain = readFileSync(file, 'utf8');
  const running = starting.move();
  return {
    site,
    redis,
    configure: (how) => writeFileSync(file, how === 'on' ? plain + redis.toml() : plain),
    move: (to) => site.appliance.run('session', 'move', '--to', to),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Somebody with browsers, hosts and tokens, some of them ended again. */
async function somebody(site: LoopbackSite, username: string, seed: number): Promise<BusyPerson> {
  await site.addPerson(username);
  const signIn = (browser: Browser) => browser.submit(site.url('/sign-in'), { username, password: PASSWORD });
  const person = busyPerson(site, username, { signIn }, seededRandom(seed));
  await busy(person);
  return person;
}

async function busy(person: BusyPerson): Promise<void> {
  for (let act = 0; act < ACTS; act++) await person.act();
}

/** Everybody has what they had, and nothing that was ended. */
async function expectNobodySignedOut(site: LoopbackSite, people: readonly BusyPerson[]): Promise<void> {
  for (const { holdings } of people) {
    for (const holding of holdings) {
      const holder = await holderOf(site, holding);
      expect([holding.kind, holding.state, holder]).toEqual([
        holding.kind,
        holding.state,
        holding.state === 'live' ? holding.username : undefined,
      ]);
    }
  }
}

describe('turning Redis on and off', () => {
  test('signs nobody out, and brings nothing back', async () => {
    console.log(`seed ${SEED}`);
    await using t = await moveSite();
    const { site, redis } = t;
    const { appliance } = site;
    const people = [await somebody(site, 'ada', SEED), await somebody(site, 'bob', SEED + 1)];

    t.configure('on');
    const refused = await t.move('redis');
    expect(refused).toMatchObject({ exitCode: 1, err: expect.stringContaining('in use') });
    await appliance.stop();
    expect(await t.move('redis')).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(/^moved \d+ sessions to Redis/),
    });
    expect(await redis.client().zcard('postern:sessions')).toBeGreaterThan(2);
    await appliance.start();
    await expectNobodySignedOut(site, people);
    expect(appliance.printed()).not.toContain('session move');
    expect(await t.move('sqlite')).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('end every server'),
    });

    for (const person of people) await busy(person);
    await appliance.stop();
    expect(await t.move('sqlite')).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(/^moved \d+ sessions to the database/),
    });
    expect(await redis.client().zcard('postern:sessions')).toBe(0);
    t.configure('off');
    await appliance.start();
    await expectNobodySignedOut(site, people);
    for (const person of people) await busy(person);
    await expectNobodySignedOut(site, people);
    expect(appliance.printed()).not.toContain('session move');
  });

  test('without the move says where the sessions are', async () => {
    await using t = await moveSite();
    const { appliance } = t.site;
    await appliance.stop();
    t.configure('on');
    await appliance.start();
    expect(appliance.printed()).toContain('one browser session is still in the database');
    const doctor = await appliance.run('doctor');
    expect(doctor.out).toMatch(/warn +sessions +one browser session is still in the database/);
    const second = await t.site.signIn('owner');
    await appliance.stop();
    t.configure('off');
    await appliance.start();
    expect(appliance.printed()).toContain('browser sessions may be left in it');
    // What was in the database when Redis came is as good as ever.
    const status = async (browser: typeof second) =>
      (await browser.fetch(t.site.url('/api/v1/session'))).status;
    expect([await status(t.site.owner), await status(second)]).toEqual([200, 401]);
  });

  test('needs to know where to, and both stores', async () => {
    await using t = await moveSite();
    const { appliance } = t.site;
    await appliance.stop();
    expect(await appliance.run('session', 'move')).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('--to'),
    });
    expect(await appliance.run('session', 'move', '--to', 'disk')).toMatchObject({ exitCode: 2 });
    for (const to of ['redis', 'sqlite'] as const)
      expect(await t.move(to)).toMatchObject({ exitCode: 2, err: expect.stringContaining('redis.url') });
    t.configure('on');
    await t.redis.stop();
    const away = await t.move('redis');
    expect(away).toMatchObject({ exitCode: 1, err: expect.stringContaining('Redis at') });
    await t.redis.restart();
    expect(await t.move('redis')).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('moved 1 session to'),
    });
  });
});

/** Runs the command, and kills it once `isTime`, unless it is done. */
async function moveAndKill(directory: string, to: string, isTime: () => Promise<boolean>): Promise<number> {
  const env = { PATH: process.env['PATH'] ?? '' };
  await using command = startProgram([binary(), 'session', 'move', '--to', to], directory, env);
  const done = command.finished.then(() => true);
  await until('it is time, or it is done', async () => Promise.race([done, isTime()]));
  command.signal('SIGKILL');
  return (await command.finished).exitCode;
}

async function addSessions(dataDir: string, id: SessionId): Promise<void> {
  await using db = openDatabase({ path: databasePath(dataDir), clock: systemClock });
  copySession(db, id, MANY);
}

const countHere = (dataDir: string): number =>
  readDatabase(databasePath(dataDir), (reader) => movingStore().count(reader, systemClock.now()));

test('killed at any moment and run again, the move loses no session and doubles none', async () => {
  console.log(`seed ${SEED}`);
  const random = seededRandom(SEED);
  await using t = await moveSite();
  const { appliance, origin, appHost, cookie, owner } = t.site;
  const own = (await (await owner.fetch(t.site.url('/api/v1/session'))).json()) as {
    session: { id: SessionId };
  };
  await appliance.stop();
  t.configure('on');
  await addSessions(appliance.dataDir, own.session.id);
  const total = MANY + 1;
  const inRedis = () => t.redis.client().zcard('postern:sessions');

  let killedInAll = 0;
  for (const to of ['redis', 'sqlite', 'redis', 'sqlite'] as const) {
    const arrived = async () => (to === 'redis' ? inRedis() : total - (await inRedis()));
    let killed = 0;
    for (;;) {
      const half = Math.ceil((total + (await arrived())) / 2);
      const enough = killed < KILLS ? random.between(await arrived(), half) : Number.POSITIVE_INFINITY;
      const exitCode = await moveAndKill(appliance.directory, to, async () => (await arrived()) >= enough);
      const [there, here] = [await inRedis(), countHere(appliance.dataDir)];
      expect(there + here).toBeGreaterThanOrEqual(total);
      if (exitCode === 0) break;
      killed++;
    }
    expect([await inRedis(), countHere(appliance.dataDir)]).toEqual(to === 'redis' ? [total, 0] : [0, total]);
    console.log(`to ${to}: killed ${killed} times`);
    killedInAll += killed;
  }
  expect(killedInAll).toBeGreaterThan(0);
  t.configure('off');
  await appliance.start();
  const [secret] = owner.cookies.values();
  const holding = {
    kind: 'browser',
    secret: secret ?? '',
    username: 'owner',
    parent: undefined,
    id: undefined,
    state: 'live',
  } as const;
  expect(await holderOf({ appliance, origin, appHost, cookie }, holding)).toBe('owner');
});
