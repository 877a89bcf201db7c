import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from '../support/browser.ts';
import { type BusyPerson, busyPerson, UnexpectedAnswer, type WayIn } from '../support/busy-person.ts';
import { freePort } from '../support/free-port.ts';
import { type Holding, holderOf } from '../support/holdings.ts';
import { type LoopbackSite, loopbackSite, PASSWORD } from '../support/loopback-site.ts';
import { type OidcTestProvider, startOidcProvider } from '../support/oidc-provider.ts';
import { type SeededRandom, seededRandom } from '../support/random.ts';
import { CLIENT_ID, CLIENT_SECRET, providerTable, siteRegistration } from '../support/sign-in.ts';
import { turnstile } from '../support/turnstile.ts';

const ROUNDS = 50;
const TIMEOUT_MS = 240_000;
/** One start in this many is killed as well, before it is ready. */
const KILLED_STARTS = 5;
const MAX_START_MS = 60;
const LOCAL_PEOPLE = 5;
const PEOPLE_PER_PROVIDER = 4;
/** How long a round lasts before the kill, in milliseconds. */
const MIN_ROUND_MS = 40;
const MAX_ROUND_MS = 900;
/** An ended session is asked again in this many rounds; the last one asks all. */
const LOOK_BACK_ROUNDS = 2;

const SEED = Number(process.env['POSTERN_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

interface CrashSite extends AsyncDisposable {
  site: LoopbackSite;
  people: BusyPerson[];
}

/** People with local accounts, and people of two providers: one names sessions in its logout tokens, one only people. */
async function crashSite(random: SeededRandom): Promise<CrashSite> {
  await using starting = new AsyncDisposableStack();
  const port = freePort();
  const home = starting.use(await startOidcProvider({ clients: [siteRegistration(port, 'home')] }));
  const work = starting.use(
    await startOidcProvider({
      clients: [siteRegistration(port, 'work', { backchannelLogoutSessionRequired: false })],
      host: 'localhost',
    }),
  );
  const toml = () =>
    [
      providerTable('home', home.issuer),
      providerTable('work', work.issuer),
      '[sessions]\ntouch_interval = "100ms"\n',
    ].join('');
  const site = starting.use(await loopbackSite({ port, toml }));
  site.secrets.add(CLIENT_SECRET);
  const people: BusyPerson[] = [];
  for (let index = 0; index < LOCAL_PEOPLE; index++) {
    const username = `local-${index}`;
    await site.addPerson(username);
    const signIn = (browser: Browser) =>
      browser.submit(site.url('/sign-in'), { username, password: PASSWORD });
    people.push(busyPerson(site, username, { signIn }, random));
  }
  for (const [name, provider, reaches] of [
    ['home', home, 'one'],
    ['work', work, 'all'],
  ] as const) {
    for (let index = 0; index < PEOPLE_PER_PROVIDER; index++) {
      const way = wayThrough(site, name, provider, `${name}-${index}`, reaches);
      people.push(busyPerson(site, `${name}-${index}`, way, random));
    }
  }
  const running = starting.move();
  return { site, people, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function wayThrough(
  site: LoopbackSite,
  name: string,
  provider: OidcTestProvider,
  subject: string,
  reaches: 'one' | 'all',
): WayIn {
  const sids = new Map<Holding, string | undefined>();
  return {
    async signIn(browser) {
      const page = await browser.visit(site.url(`/sign-in/${name}`));
      return provider.signIn(browser, page, subject);
    },
    signedIn: (holding) => void sids.set(holding, provider.sidOf(subject)),
    logOut: {
      reaches,
      run: (holding) => provider.logOut(CLIENT_ID, { subject, sid: sids.get(holding) }),
    },
  };
}

/** Everybody acts until the process is killed; resolves with what was answered wrongly. */
async function actUntilKilled({ site, people }: CrashSite, afterMs: number): Promise<unknown[]> {
  const killed = new AbortController();
  const wrong: unknown[] = [];
  const busy = people.map(async (person) => {
    while (!killed.signal.aborted) {
      try {
        await person.act();
      } catch (error) {
        if (!killed.signal.aborted || error instanceof UnexpectedAnswer) wrong.push(error);
        return;
      }
    }
  });
  // Real time: a random instant of the kill is what this is about.
  await Bun.sleep(afterMs);
  killed.abort();
  await site.appliance.stop('SIGKILL');
  await Promise.all(busy);
  return wrong;
}

const turns = turnstile(48);

/** What does not hold of one person: gone although it was answered, alive although it was ended, half of one act. */
async function findFaults(
  site: LoopbackSite,
  person: BusyPerson,
  looked: readonly Holding[],
): Promise<string[]> {
  const faults: string[] = [];
  const atOnce = person.takeUnanswered();
  const found = await Promise.all(
    looked.map(async (holding) => ({ holding, holder: await turns(() => holderOf(site, holding)) })),
  );
  for (const { holding, holder } of found) {
    const told = `${holding.kind} of ${person.username}`;
    if (holder !== undefined && holder !== person.username) faults.push(`${told} speaks for ${holder}`);
    if (holding.state === 'live' && holder === undefined) faults.push(`${told} is lost`);
    if (holding.state === 'ended' && holder !== undefined) faults.push(`${told} is alive again`);
    if (holding.state === 'unanswered') holding.state = holder === undefined ? 'ended' : 'live';
  }
  if (new Set(atOnce.map(({ state }) => state)).size > 1)
    faults.push(`half an act of ${person.username} was kept`);
  return faults;
}

/** What has changed of late, and everything that should be alive. */
function worthAsking(
  person: BusyPerson,
  endedBefore: ReadonlyMap<Holding, number>,
  round: number,
): Holding[] {
  return person.holdings.filter(
    (holding) => holding.state !== 'ended' || (endedBefore.get(holding) ?? round) > round - LOOK_BACK_ROUNDS,
  );
}

function secretsFoundIn(text: string, secrets: ReadonlySet<string>): string[] {
  return [...secrets].filter((secret) => text.includes(secret)).map((secret) => `${secret.slice(0, 6)}…`);
}

function contentOf(directory: string): string {
  const files = readdirSync(directory).map((name) => join(directory, name));
  return files
    .filter((file) => statSync(file).isFile())
    .map((file) => readFileSync(file, 'latin1'))
    .join('\n');
}

describe('kill -9', () => {
  test(
    `in ${ROUNDS} rounds loses nothing that was answered, and revives nothing that was ended`,
    async () => {
      console.log(`seed ${SEED} (POSTERN_TEST_SEED)`);
      const random = seededRandom(SEED);
      await using crash = await crashSite(random);
      const { site, people } = crash;
      const startedAt = performance.now();
      const endedIn = new Map<Holding, number>();
      const ask = async (pick: (person: BusyPerson) => readonly Holding[]) =>
        (await Promise.all(people.map((person) => findFaults(site, person, pick(person))))).flat();

      for (let round = 0; round < ROUNDS; round++) {
        const wrong = await actUntilKilled(crash, random.between(MIN_ROUND_MS, MAX_ROUND_MS));
        expect({ round, wrong }).toEqual({ round, wrong: [] });
        if (random.below(KILLED_STARTS) === 0) await killWhileStarting(site, random.below(MAX_START_MS));
        await site.appliance.start();
        const faults = await ask((person) => worthAsking(person, endedIn, round));
        expect({ round, faults }).toEqual({ round, faults: [] });
        for (const holding of people.flatMap(({ holdings }) => holdings))
          if (holding.state === 'ended' && !endedIn.has(holding)) endedIn.set(holding, round);
      }
      expect(await ask(({ holdings }) => holdings)).toEqual([]);
      expect((await site.owner.fetch(site.url('/api/v1/session'))).status).toBe(200);
      console.log(report(people, performance.now() - startedAt));

      const { exitCode } = await site.appliance.stop();
      expect(exitCode).toBe(0);
      expect(secretsFoundIn(site.appliance.printed(), site.secrets)).toEqual([]);
      expect(site.appliance.printed()).not.toMatch(/[?&](?:code|ticket|state|to)=|"level":"error"/);
      const stored = new Set([...site.secrets].filter((secret) => secret !== CLIENT_SECRET));
      expect(secretsFoundIn(contentOf(site.appliance.dataDir), stored)).toEqual([]);
      expect(readdirSync(site.appliance.dataDir).sort()).toEqual(['lock.db', 'postern.db', 'secret']);
    },
    TIMEOUT_MS,
  );
});

async function killWhileStarting({ appliance }: LoopbackSite, afterMs: number): Promise<void> {
  const server = appliance.begin();
  // Real time: whatever it is doing by then, it has nothing to say that could be waited for.
  await Bun.sleep(afterMs);
  server.signal('SIGKILL');
  await server.finished;
}

function report(people: readonly BusyPerson[], tookMs: number): string {
  const totals: Record<string, number> = {};
  for (const { done } of people)
    for (const [name, count] of Object.entries(done)) totals[name] = (totals[name] ?? 0) + count;
  const holdings = people.flatMap((person) => person.holdings);
  const alive = holdings.filter(({ state }) => state === 'live').length;
  return `${Math.round(tookMs / 1_000)} s, ${holdings.length} sessions, ${alive} alive: ${JSON.stringify(totals)}`;
}
