import { Browser, type Visit } from './browser.ts';
import type { Holding } from './holdings.ts';
import type { LoopbackSite } from './loopback-site.ts';
import type { SeededRandom } from './random.ts';

/** How somebody signs in, and how the provider says that they have signed out, where there is one. */
export interface WayIn {
  signIn(browser: Browser): Promise<Visit>;
  /** Reaches this browser session, or all of them. */
  logOut?: { reaches: 'one' | 'all'; run(holding: Holding): Promise<void> };
  /** Called once somebody is in. */
  signedIn?(holding: Holding): void;
}

/** Told of what a person holds, at the instant at which it is so. */
export interface Witness {
  /** `since`: when nothing of it had been asked for yet, of `performance.now()`. */
  began(holding: Holding, since: number): void;
  /** The request that ends them is about to be sent. */
  ending(holdings: readonly Holding[]): void;
  /**
   * It was answered. `presented`: by showing a secret or the provider's name of the session, which a store that lost the
   * session cannot tell from one that never was; otherwise the session or the person was named.
   */
  ended(holdings: readonly Holding[], how: 'named' | 'presented'): void;
}

const NOBODY: Witness = { began: () => undefined, ending: () => undefined, ended: () => undefined };

/** What of a site such a person needs. */
export type SiteOfPeople = Pick<LoopbackSite, 'origin' | 'appHost' | 'cookie' | 'owner' | 'secrets' | 'url'>;

/** One person who signs in and out all the time, one act after the other. */
export interface BusyPerson {
  readonly username: string;
  readonly holdings: readonly Holding[];
  /** What the act that was not answered would have ended, all or nothing; taken by whoever looks. */
  takeUnanswered(): Holding[];
  /** Does one thing. @throws when the appliance dies meanwhile, or answers what it should not. */
  act(): Promise<void>;
  readonly done: Readonly<Record<string, number>>;
}

/** Cookies that count or flag something are shorter. */
const SECRET_LENGTH = 20;

interface BrowserHolding {
  holding: Holding;
  browser: Browser;
}

/** With more sessions than this, a person rather ends some than begins more. */
const MANY = 15;
const ENDING_SHARE = 0.15;
const ENDING_SHARE_OF_MANY = 0.8;

/** `owner` disables the person and enables them again. */
export function busyPerson(
  site: SiteOfPeople,
  username: string,
  way: WayIn,
  random: SeededRandom,
  witness: Witness = NOBODY,
): BusyPerson {
  const holdings: Holding[] = [];
  const browsers: BrowserHolding[] = [];
  const done: Record<string, number> = {};
  let unanswered: Holding[] = [];
  let mayBeDisabled = false;
  let actBegunAt = 0;
  let userId: string | undefined;

  const live = () => holdings.filter(({ state }) => state === 'live');
  /** What may still be alive somewhere. */
  const notEnded = () => holdings.filter(({ state }) => state !== 'ended');
  const liveBrowsers = () => browsers.filter(({ holding }) => holding.state === 'live');
  const isOf = (holding: Holding, root: Holding) => holding === root || holding.parent === root;

  const add = (holding: Omit<Holding, 'state' | 'username'>): Holding => {
    const added: Holding = { ...holding, username, state: 'live' };
    holdings.push(added);
    site.secrets.add(holding.secret);
    witness.began(added, actBegunAt);
    return added;
  };

  /** Until the answer is here nobody knows which of these are alive. */
  const end = async (
    ends: readonly Holding[],
    ask: () => Promise<void>,
    how: 'named' | 'presented' = 'named',
  ) => {
    for (const each of ends) each.state = 'unanswered';
    unanswered = [...ends];
    witness.ending(ends);
    await ask();
    for (const each of ends) each.state = 'ended';
    unanswered = [];
    witness.ended(ends, how);
  };

  const api = async (browser: Browser, method: string, path: string, body?: unknown): Promise<Response> => {
    const response = await browser.fetch(site.url(path), {
      method,
      headers: { origin: site.origin, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new UnexpectedAnswer(`${method} ${path}`, response.status, await response.text());
    return response;
  };

  /** Keeps a session although the page that its cookie leads to was not answered any more. */
  const enter = async (
    browser: Browser,
    at: string | URL,
    way: Promise<Visit>,
    keep: (secret: string) => void,
  ) => {
    const [result] = await Promise.allSettled([way]);
    const visit = result.status === 'fulfilled' ? result.value : undefined;
    for (const secret of [...browser.cookies.values(), ...secretsIn(visit)])
      if (secret.length >= SECRET_LENGTH) site.secrets.add(secret);
    const secret = browser.cookies.get(at, site.cookie);
    if (secret !== undefined) keep(secret);
    if (result.status === 'rejected') throw result.reason;
    if (secret === undefined)
      throw new UnexpectedAnswer(String(at), result.value.response.status, result.value.text);
  };

  const signIn = async () => {
    const browser = new Browser();
    await enter(browser, site.url('/'), way.signIn(browser), (secret) => {
      const holding = add({ kind: 'browser', secret, parent: undefined, id: undefined });
      browsers.push({ holding, browser });
      way.signedIn?.(holding);
    });
  };

  const whoAmI = async ({ browser, holding }: BrowserHolding) => {
    const response = await api(browser, 'GET', '/api/v1/session');
    const { user, session } = (await response.json()) as { user: { id: string }; session: { id: string } };
    userId = user.id;
    holding.id = session.id;
  };

  /** Through the protected host, as a browser goes. */
  const openApp = async ({ browser, holding }: BrowserHolding) => {
    const isApp = ({ host, pathname }: URL) => host === site.appHost && !pathname.startsWith('/.postern/');
    const visit = browser.visit(`http://${site.appHost}/.postern/start?/x`, {}, isApp);
    await enter(browser, `http://${site.appHost}/`, visit, (secret) => {
      add({ kind: 'child', secret, parent: holding, id: undefined });
    });
  };

  const makeToken = async ({ browser }: BrowserHolding) => {
    const wanted = { label: 'script', hosts: [site.appHost], scopes: ['sessions:read'], expires_in: 3_600 };
    const response = await api(browser, 'POST', '/api/v1/tokens', wanted);
    const { secret, token } = (await response.json()) as { secret: string; token: { id: string } };
    add({ kind: 'token', secret, parent: undefined, id: token.id });
  };

  const setStatus = async (status: 'active' | 'disabled') => {
    await api(site.owner, 'PATCH', `/api/v1/users/${userId}`, { status });
  };

  /** Ends one session through another, or itself. */
  const endOne = async ({ browser }: BrowserHolding) => {
    const target = random.pick(live().filter(({ id }) => id !== undefined));
    await end(
      live().filter((each) => isOf(each, target)),
      async () => void (await api(browser, 'DELETE', `/api/v1/sessions/${target.id}`)),
    );
  };
  const signOut = ({ browser, holding }: BrowserHolding) =>
    end(
      live().filter((each) => isOf(each, holding)),
      async () => {
        const visit = await browser.visit(
          site.url('/sign-out'),
          { method: 'POST', body: new URLSearchParams(), headers: { origin: site.origin } },
          () => true,
        );
        if (visit.response.status >= 400)
          throw new UnexpectedAnswer('out', visit.response.status, visit.text);
      },
      'presented',
    );
  const endOthers = ({ browser, holding }: BrowserHolding) =>
    end(
      notEnded().filter((each) => !isOf(each, holding)),
      async () => void (await api(browser, 'DELETE', '/api/v1/sessions?keep=current')),
    );
  const endEverywhere = ({ browser }: BrowserHolding) =>
    end(notEnded(), async () => void (await api(browser, 'DELETE', '/api/v1/sessions')));
  const disable = async () => {
    mayBeDisabled = true;
    await end(notEnded(), () => setStatus('disabled'));
    await setStatus('active');
    mayBeDisabled = false;
  };
  const logOutAtProvider = async ({ holding }: BrowserHolding) => {
    const { logOut } = way;
    if (logOut === undefined) return;
    const reachesAll = logOut.reaches === 'all';
    const reached = notEnded().filter((each) => reachesAll || isOf(each, holding));
    await end(reached, () => logOut.run(holding), reachesAll ? 'named' : 'presented');
  };

  const beginning: Record<string, (from: BrowserHolding) => Promise<void>> = { signIn, openApp, makeToken };
  const endings: Record<string, (from: BrowserHolding) => Promise<void>> = {
    endOne,
    signOut,
    endOthers,
    endEverywhere,
    disable,
    ...(way.logOut && { logOutAtProvider }),
  };

  const choose = () => {
    const acts =
      random.next() < (live().length > MANY ? ENDING_SHARE_OF_MANY : ENDING_SHARE) ? endings : beginning;
    return random.pick(Object.entries(acts));
  };

  return {
    username,
    holdings,
    done,
    takeUnanswered() {
      const taken = unanswered;
      unanswered = [];
      return taken;
    },
    async act() {
      actBegunAt = performance.now();
      if (mayBeDisabled) {
        await setStatus('active');
        mayBeDisabled = false;
      }
      const from = liveBrowsers();
      const [name, run] = from.length === 0 ? (['signIn', signIn] as const) : choose();
      if (from.length === 0) {
        await signIn();
      } else {
        const chosen = random.pick(from);
        if (chosen.holding.id === undefined) await whoAmI(chosen);
        const opensTwice = name === 'openApp' && holdings.some(({ parent }) => parent === chosen.holding);
        await (opensTwice ? makeToken(chosen) : run(chosen));
      }
      done[name] = (done[name] ?? 0) + 1;
    },
  };
}

/** The appliance answered, and not with what it should have. */
export class UnexpectedAnswer extends Error {
  readonly status: number;

  constructor(what: string, status: number, text: string) {
    super(`${what}: ${status} ${text.slice(0, 400)}`);
    this.status = status;
  }
}

/** What URLs on the way of a sign-in hold for one use. */
function secretsIn(visit: Visit | undefined): string[] {
  const urls = (visit?.path ?? []).map((text) => new URL(text));
  return urls.flatMap(({ searchParams }) => ['code', 'ticket'].flatMap((name) => searchParams.getAll(name)));
}
