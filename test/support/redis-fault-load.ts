import { type BusyPerson, busyPerson, UnexpectedAnswer, type WayIn, type Witness } from './busy-person.ts';
import type { DecisionLog, Outcome } from './decision-log.ts';
import type { Holding } from './holdings.ts';
import { PASSWORD } from './loopback-site.ts';
import type { OidcTestProvider } from './oidc-provider.ts';
import { type SeededRandom, seededRandom } from './random.ts';
import type { FaultNode, RedisFaultSite } from './redis-fault-site.ts';
import { CLIENT_ID } from './sign-in.ts';

/** Longer than anything that Redis does may hold up an answer. */
const PATIENCE_MS = 8_000;
/** Between acts of one person, and between questions of one watcher. */
const PERSON_REST_MS = [10, 60] as const;
const WATCHER_REST_MS = 3;
const WATCHERS_PER_NODE = 2;
/** What was ended so lately is asked for more than the rest. */
const LATELY_MS = 3_000;
const LIVE_SHARE = 0.6;
const LATELY_SHARE = 0.75;

export interface RedisFaultLoad extends AsyncDisposable {
  readonly people: readonly BusyPerson[];
  /** What people met that is no outage, no refusal and no success. */
  readonly odd: string[];
  /** Everybody stops after what they are doing. */
  stop(): Promise<void>;
}

/** People who sign in and out all the time, and watchers who ask every node for what they hold or held. */
export async function redisFaultLoad(
  site: RedisFaultSite,
  log: DecisionLog,
  seed: number,
): Promise<RedisFaultLoad> {
  const random = seededRandom(seed);
  const own = () => seededRandom(random.below(2 ** 31));
  const witness = witnessOf(log);
  const people: BusyPerson[] = [];
  for (const username of ['local-0', 'local-1']) {
    await site.addPerson(username);
    people.push(busyPerson(site, username, passwordOf(site, username), own(), witness));
  }
  for (const [name, reaches] of [
    ['home', 'one'],
    ['work', 'all'],
  ] as const) {
    for (const username of [`${name}-0`, `${name}-1`, `${name}-2`])
      people.push(busyPerson(site, username, providerOf(site, name, username, reaches), own(), witness));
  }

  const odd: string[] = [];
  const stopping = new AbortController();
  const busy = people.map((person) => keepBusy(person, own(), stopping.signal, odd));
  const watching = site.nodes.flatMap((node) =>
    Array.from({ length: WATCHERS_PER_NODE }, () =>
      keepWatching({ site, log, node, people, random: own(), signal: stopping.signal }),
    ),
  );
  const stop = async () => {
    stopping.abort();
    await Promise.all([...busy, ...watching]);
  };
  return { people, odd, stop, [Symbol.asyncDispose]: stop };
}

function witnessOf(log: DecisionLog): Witness {
  return {
    began: (holding, since) => log.began(holding, since),
    ending(holdings) {
      for (const each of holdings) log.endAsked(each, performance.now());
    },
    ended(holdings, how) {
      const at = performance.now();
      for (const each of holdings) {
        // Nobody can end what nobody knows of any more: its secret alone does not say whose session it was.
        if (how === 'presented' && log.mayBeLost(log.lifeOf(each).begunAt)) each.state = 'unanswered';
        else log.ended(each, at);
      }
    },
  };
}

function passwordOf(site: RedisFaultSite, username: string): WayIn {
  return {
    signIn: (browser) => browser.submit(site.url('/sign-in'), { username, password: PASSWORD }),
  };
}

function providerOf(
  site: RedisFaultSite,
  name: 'home' | 'work',
  subject: string,
  reaches: 'one' | 'all',
): WayIn {
  const provider: OidcTestProvider = site[name];
  const sids = new Map<Holding, string | undefined>();
  return {
    async signIn(browser) {
      const page = await browser.visit(site.url(`/sign-in/${name}`));
      return provider.signIn(browser, page, subject);
    },
    signedIn: (holding) => void sids.set(holding, provider.sidOf(subject)),
    logOut: { reaches, run: (holding) => provider.logOut(CLIENT_ID, { subject, sid: sids.get(holding) }) },
  };
}

async function keepBusy(
  person: BusyPerson,
  random: SeededRandom,
  signal: AbortSignal,
  odd: string[],
): Promise<void> {
  while (!signal.aborted) {
    const failure = await Promise.race([
      person.act().catch((error: unknown) => error),
      Bun.sleep(PATIENCE_MS).then(() => new Error('hung')),
    ]);
    if (failure instanceof Error && isOdd(failure)) odd.push(`${person.username}: ${failure.message}`);
    // Who has just failed does not ask again at once.
    await Bun.sleep(failure === undefined ? random.between(...PERSON_REST_MS) : 100);
  }
}

/** An outage is said with 503, and a lost session is refused; what the balancer cannot reach is 502. */
function isOdd(failure: Error): boolean {
  if (!(failure instanceof UnexpectedAnswer)) return failure.message === 'hung';
  return failure.status >= 500 && failure.status !== 502 && failure.status !== 503;
}

interface Watch {
  site: RedisFaultSite;
  log: DecisionLog;
  node: FaultNode;
  people: readonly BusyPerson[];
  random: SeededRandom;
  signal: AbortSignal;
}

async function keepWatching({ site, log, node, people, random, signal }: Watch): Promise<void> {
  while (!signal.aborted) {
    const holding = choose(people, log, random);
    if (holding !== undefined) await look(site, log, node, holding);
    await Bun.sleep(WATCHER_REST_MS);
  }
}

function choose(people: readonly BusyPerson[], log: DecisionLog, random: SeededRandom): Holding | undefined {
  const { holdings } = random.pick(people);
  const live = holdings.filter(({ state }) => state === 'live');
  if (live.length > 0 && random.next() < LIVE_SHARE) return random.pick(live);
  const since = performance.now() - LATELY_MS;
  const lately = holdings.filter((each) => (log.lifeOf(each).endAskedAt ?? 0) > since);
  if (lately.length > 0 && random.next() < LATELY_SHARE) return random.pick(lately);
  return holdings.length === 0 ? undefined : random.pick(holdings);
}

/** Asks one node for one credential, and writes down what it decided. */
export async function look(
  site: RedisFaultSite,
  log: DecisionLog,
  node: FaultNode,
  holding: Holding,
): Promise<Outcome> {
  const sentAt = performance.now();
  const { outcome, said } = await ask(site, node, holding);
  const check = { holding, node: node.name, sentAt, answeredAt: performance.now(), outcome, said };
  log.checked(check);
  if (outcome === 'refused' && holding.state === 'live' && log.lifeOf(holding).endAskedAt === undefined)
    holding.state = 'lost';
  return outcome;
}

async function ask(
  site: RedisFaultSite,
  node: FaultNode,
  holding: Holding,
): Promise<{ outcome: Outcome; said: string }> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const response = await (holding.kind === 'browser' ? askWhoAmI : askForwardAuth)(
      site,
      node,
      holding,
      signal,
    );
    const text = await response.text();
    const { status } = response;
    if (status === 401) return { outcome: 'refused', said: /"code":"(\w+)"/.exec(text)?.[1] ?? '' };
    if (status === 503) return { outcome: 'unavailable', said: '' };
    if (status !== 200) return { outcome: 'odd', said: `${status} ${text.slice(0, 200)}` };
    return { outcome: 'served', said: response.headers.get('remote-user') ?? usernameIn(text) };
  } catch (error) {
    if (signal.aborted) return { outcome: 'hung', said: `${PATIENCE_MS} ms` };
    return { outcome: 'unanswered', said: String(error) };
  }
}

function usernameIn(text: string): string {
  const { user } = JSON.parse(text) as { user: { username: string } };
  return user.username;
}

function askWhoAmI(
  { origin, cookie }: RedisFaultSite,
  { port }: FaultNode,
  { secret }: Holding,
  signal: AbortSignal,
): Promise<Response> {
  const headers = { host: new URL(origin).host, cookie: `${cookie}=${secret}` };
  return fetch(`http://127.0.0.1:${port}/api/v1/session`, { headers, signal });
}

function askForwardAuth(
  { appHost, cookie }: RedisFaultSite,
  { port }: FaultNode,
  { secret, kind }: Holding,
  signal: AbortSignal,
): Promise<Response> {
  const headers = {
    ...(kind === 'token' ? { authorization: `Bearer ${secret}` } : { cookie: `${cookie}=${secret}` }),
    'x-forwarded-method': 'GET',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': appHost,
    'x-forwarded-uri': '/',
  };
  return fetch(`http://127.0.0.1:${port}/forward-auth`, { headers, signal, redirect: 'manual' });
}
