import type { Config } from '../../src/config/schema.ts';
import { openForwardAuth } from '../../src/forward-auth/routes.ts';
import { parseOrigin } from '../../src/http/origin.ts';
import { parseRange } from '../../src/lib/ip-address.ts';
import { keyRing } from '../../src/lib/key-ring.ts';
import { hostAudience } from '../../src/sessions/audience.ts';
import { sessionGuard } from '../../src/sessions/guard.ts';
import type { Issued } from '../../src/sessions/ledger.ts';
import type { SessionId } from '../../src/sessions/model.ts';
import { userStore } from '../../src/users/store.ts';
import { temporaryServer } from './http-server.ts';
import { TEST_ORIGIN, TEST_SECRET, temporaryLedger } from './ledger.ts';
import { ManualClock, settle } from './manual-clock.ts';

type RuleConfig = Config['forward_auth']['rule'][number];

export const APP = 'app.example.test';
export const NOTES = 'notes.example.org';
const NOWHERE = {
  provider: undefined,
  providerSid: undefined,
  address: '192.0.2.7',
  userAgent: 'test',
};

export const aRule = (some: Partial<RuleConfig> = {}): RuleConfig => ({
  host: APP,
  path: '/',
  allow: 'everyone',
  allowed_origins: [],
  ...some,
});

const STAFF = { subjects: [], emails: [], domains: [], groups: ['staff'] };

/** Two unrelated hosts; on the first, one path is everybody's and one is for staff. */
const RULES = [
  aRule(),
  aRule({ path: '/public', allow: 'public' }),
  aRule({ path: '/staff', allow: STAFF }),
  aRule({ path: '/hook', allowed_origins: ['https://partner.example.net'] }),
  aRule({ host: NOTES }),
];

interface Options {
  rules?: RuleConfig[];
  trusted?: string;
  origin?: string;
  sessions?: Partial<Config['sessions']>;
}

/** A request as it is at the proxy. */
export interface AskedFor {
  method?: string;
  host?: string;
  uri?: string;
  scheme?: string;
  headers?: Record<string, string>;
}

export type TestForwardAuth = ReturnType<typeof temporaryForwardAuth>;

/** Forward-auth behind the real server, over a ledger of its own; the tests are its proxy. */
export function temporaryForwardAuth({
  rules = RULES,
  trusted = '127.0.0.1/32',
  origin = TEST_ORIGIN,
  sessions: policy = {},
}: Options = {}) {
  const clock = new ManualClock();
  const base = temporaryLedger({ clock, origin, sessions: policy });
  const { ledger, db, audit, metrics } = base;
  const publicOrigin = parseOrigin(origin);
  const sessions = sessionGuard({ ledger, origin: publicOrigin, audit, clock });
  const people = userStore(db);
  const forwardAuth = openForwardAuth({
    config: { ...base.config.forward_auth, rule: rules },
    origin: publicOrigin,
    db,
    ring: keyRing([TEST_SECRET]),
    clock,
    ledger,
    sessions,
    audit,
    metrics,
    subjectsOf: (id) => people.identitiesOf(id).map(({ subject }) => subject),
  });
  const server = temporaryServer((router) => forwardAuth.addRoutes(router), {
    origin: publicOrigin,
    isServedHost: (host) => host === publicOrigin.host || forwardAuth.isProtectedHost(host),
    nativeRoutes: forwardAuth.nativeRoutes,
    trustedProxies: [parseRange(trusted)].flatMap((range) => range ?? []),
  });
  const send = (path: string, headers: Record<string, string>, method = 'GET') =>
    fetch(`http://127.0.0.1:${server.port}${path}`, { method, headers, redirect: 'manual' });

  return {
    ...base,
    clock,
    forwardAuth,
    port: server.port,
    send,

    /** Asks as Caddy and Traefik do. */
    check: ({ method = 'GET', host = APP, uri = '/', scheme = 'https', headers = {} }: AskedFor = {}) =>
      send('/forward-auth', {
        host,
        'x-forwarded-method': method,
        'x-forwarded-proto': scheme,
        'x-forwarded-host': host,
        'x-forwarded-uri': uri,
        'x-forwarded-for': '192.0.2.7',
        ...headers,
      }),

    /** Asks as nginx does. */
    checkNginx: ({ method = 'GET', host = APP, uri = '/', scheme = 'https', headers = {} }: AskedFor = {}) =>
      send('/forward-auth/nginx', {
        host: '127.0.0.1',
        'x-original-method': method,
        'x-original-url': `${scheme}://${host}${uri}`,
        'x-forwarded-for': '192.0.2.7',
        ...headers,
      }),

    /** A session of a protected host, under a browser session of the same person. */
    async openChild(parent: SessionId, host = APP): Promise<Issued> {
      return db.write((tx) => ledger.openChildSession(tx, { parentId: parent, host, origin: NOWHERE }));
    },

    /** A personal token for one host. */
    async openToken(issuedBy: SessionId, host = APP): Promise<Issued> {
      return db.write((tx) =>
        ledger.openPersonalToken(tx, {
          issuedBy,
          label: 'test',
          audience: [hostAudience(host)],
          expiresAt: clock.now() + 86_400_000,
          origin: NOWHERE,
        }),
      );
    },

    /** What the audit says of refusals, oldest first. */
    async refusals(): Promise<Record<string, unknown>[]> {
      await settle();
      await db.write(() => undefined);
      return base.auditStore
        .list({ limit: 100 })
        .filter(({ outcome }) => outcome === 'refused')
        .map(({ action, detail, actorUserId, address }) => ({ action, ...detail, actorUserId, address }))
        .toReversed();
    },

    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await base[Symbol.asyncDispose]();
    },
  };
}
