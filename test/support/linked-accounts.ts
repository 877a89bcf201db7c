import { join } from 'node:path';
import { configSchema } from '../../src/config/schema.ts';
import { type Db, openDatabase } from '../../src/db/open.ts';
import type { KeyRing } from '../../src/lib/key-ring.ts';
import type { RunningLedger } from '../../src/sessions/open-ledger.ts';
import type { OpenUpstream } from '../../src/upstream/open-upstream.ts';
import type { UserId } from '../../src/users/model.ts';
import type { Browser, Visit } from './browser.ts';
import { freePort } from './free-port.ts';
import { temporaryLedger } from './ledger.ts';
import { ManualClock } from './manual-clock.ts';
import { LIFETIMES_SECONDS, type OidcTestProvider, startOidcProvider } from './oidc-provider.ts';
import { type Running, startProgram } from './program.ts';
import { CLIENT_ID, CLIENT_SECRET, siteRegistration } from './sign-in.ts';
import type { TokenAsker } from './token-asker.ts';
import { openGrantAt, testBackend, testUpstream } from './upstream.ts';
import { type WebSite, webSite } from './web-site.ts';

const ASKER = join(import.meta.dir, 'token-asker.ts');

/** The provider that accounts are linked at, and the backend that is given its tokens. */
export const WORK = 'work';
export const TASKS = 'tasks';

export interface LinkSite extends AsyncDisposable {
  readonly site: WebSite;
  readonly provider: OidcTestProvider;
  readonly clock: ManualClock;
  /** Paths below the provider's that were asked for, without queries. */
  readonly asked: string[];
  /** Goes from our button to the provider's page. */
  begin(browser: Browser, returnTo?: string): Promise<Visit>;
  /** Links the account `subject` at the provider, wherever that leads. */
  link(browser: Browser, subject: string, returnTo?: string): Promise<Visit>;
  /** Somebody signed in, with a linked account and a grant at the backend. */
  linked(username: string): Promise<{ browser: Browser; userId: UserId }>;
  /** The same accounts as another process would open them; for what a command does. */
  openAgain(ring?: KeyRing): OpenUpstream;
  /** The same accounts in one of several processes that share them. */
  openShared(): SharedUpstream;
  /** The same in a real process of its own, whose clock runs so far ahead of that of the site. */
  startAsker(userId: UserId, aheadMs?: number): Promise<Running>;
  /** How many refreshes ended in that way. */
  refreshes(outcome: string): number;
}

export interface SharedUpstream extends AsyncDisposable {
  readonly upstream: OpenUpstream;
  readonly ledger: RunningLedger;
  readonly db: Db;
}

export interface LinkSiteOptions {
  /** Life of access tokens, in seconds. */
  accessTokenSeconds?: number;
  rotateRefreshTokens?: boolean;
  /** Whether the provider gives refresh tokens at all. */
  givesRefreshTokens?: boolean;
  /** Whether people sign in through the provider, too. */
  signsIn?: boolean;
  /** Whether every sign-in brings a refresh token, not only one with consent. */
  keepsOffline?: boolean;
  /** More of `[upstream]`. */
  upstream?: Record<string, unknown>;
}

/** The pages of the appliance, a real OpenID provider to link accounts at, and a clock that stands still. */
export async function linkSite(options: LinkSiteOptions = {}): Promise<LinkSite> {
  const { accessTokenSeconds = 3_600, rotateRefreshTokens = true, signsIn = false, upstream } = options;
  const port = freePort();
  const clock = new ManualClock();
  await using starting = new AsyncDisposableStack();
  const provider = starting.use(
    await startOidcProvider({
      clients: [siteRegistration(port, WORK)],
      configuration: {
        rotateRefreshToken: rotateRefreshTokens,
        ...(options.givesRefreshTokens === false && { issueRefreshToken: async () => false }),
        ...(options.keepsOffline === true && { issueRefreshToken: async () => true }),
        ttl: { ...LIFETIMES_SECONDS, AccessToken: accessTokenSeconds },
      },
    }),
  );
  const asked: string[] = [];
  provider.intercept = (path, _response, pass) => {
    asked.push(path.split('?')[0] ?? path);
    pass();
  };
  const table = { name: WORK, issuer: provider.issuer, client_id: CLIENT_ID, client_secret: CLIENT_SECRET };
  const providers = signsIn ? [{ ...table, allow: 'everyone' }] : [];
  const upstreamTable = { ...upstream, provider: signsIn ? [] : [table] };
  const backends = [testBackend(TASKS, { provider: WORK, secrets: ['TOKEN'] }), testBackend('plain')];
  const site = starting.use(await webSite({ port, clock, providers, upstreamTable, backends }));
  // Nothing runs here: what is refreshed is refreshed because somebody asks, until a test says otherwise.
  site.upstream.setDependents(() => []);
  const running = starting.move();

  const tables = { provider: providers, upstream: upstreamTable };
  const upstreamOptions = () => ({
    config: configSchema.parse(tables),
    origin: site.origin.origin,
    backends,
  });
  const begin = async (browser: Browser, returnTo = '/account/links') => {
    const page = await site.post(browser, `/account/links/${WORK}`, { return_to: returnTo });
    const [, onward] = /url=(.+)$/.exec(page.response.headers.get('refresh') ?? '') ?? [];
    if (onward === undefined) throw new Error(`no way on: ${page.response.status} ${page.text}`);
    return browser.visit(onward);
  };
  const link: LinkSite['link'] = async (browser, subject, returnTo) =>
    provider.signIn(browser, await begin(browser, returnTo), subject);
  return {
    site,
    provider,
    clock,
    asked,
    begin,
    link,
    async linked(username) {
      const { browser, user } = await site.signedIn(username);
      await link(browser, `${username}-at-work`);
      await openGrantAt(site.accounts.base, user.id, TASKS);
      return { browser, userId: user.id };
    },
    openAgain: (ring) =>
      testUpstream(site.accounts, { ...upstreamOptions(), ...(ring !== undefined && { ring }) }),
    openShared() {
      const { database } = site.accounts.base;
      const db = openDatabase({ path: database.path, clock });
      const base = temporaryLedger({ clock, database: { ...database, db } });
      const { people } = site.accounts;
      const upstream = testUpstream({ base, people }, { ...upstreamOptions(), isShared: true });
      upstream.setDependents(() => []);
      return {
        upstream,
        ledger: base.ledger,
        db,
        async [Symbol.asyncDispose]() {
          await upstream[Symbol.asyncDispose]();
          await base.ledger[Symbol.asyncDispose]();
          await db[Symbol.asyncDispose]();
        },
      };
    },
    async startAsker(userId, aheadMs = 0) {
      const asker: TokenAsker = {
        databasePath: site.accounts.base.database.path,
        origin: site.origin.origin,
        tables,
        backends,
        userId,
        provider: WORK,
        now: clock.now() + aheadMs,
      };
      const { directory } = site.accounts.base.database;
      const program = startProgram([process.execPath, ASKER, JSON.stringify(asker)], directory, {});
      running.use(program);
      await program.printed('ready');
      return program;
    },
    refreshes(outcome) {
      const pattern = new RegExp(
        `^postern_upstream_refreshes_total\\{[^}]*outcome="${outcome}"[^}]*\\} (\\d+)$`,
        'm',
      );
      return Number(pattern.exec(site.accounts.base.metrics.render())?.[1] ?? 0);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
