import type { Database } from 'bun:sqlite';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadKeyRing } from '../../src/config/secrets.ts';
import { databasePath } from '../../src/db/files.ts';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { connect } from '../../src/db/open.ts';
import { newId } from '../../src/lib/random.ts';
import { hostAudience, originAudience, resourceAudience } from '../../src/sessions/audience.ts';
import type { Audience, SessionToken } from '../../src/sessions/model.ts';
import { hashToken, TOKEN_LENGTH, type TokenMint, tokenMint } from '../../src/sessions/token.ts';

/** Hosts behind forward-auth; every person has one session at each. */
export const APP_HOSTS = Array.from({ length: 10 }, (_, index) => `app-${index}.example.com`);
export const APPLIANCE_ORIGIN = 'https://auth.example.com';

const DAY_MS = 86_400_000;
const SESSIONS_PER_TRANSACTION = 20_000;

export interface SeededTokens {
  /** One token a line, all of `length` characters; the token in line i is good at `APP_HOSTS[i % APP_HOSTS.length]`. */
  file: string;
  count: number;
  length: number;
}

/** A person with browser sessions, and at one protected host a child of each. */
export interface SeededPerson {
  browsers: readonly { token: SessionToken; childToken: SessionToken }[];
}

/**
 * Fills a new data directory with sessions as forward-auth makes them, `count` of them: each person has one browser session
 * on the appliance's own origin, and under it one child session at every host.
 */
export function seedChildSessions(dataDir: string, count: number): SeededTokens {
  const tokens = intoNewDatabase(dataDir, (insert, inTransaction) => {
    const made: SessionToken[] = [];
    while (made.length < count) {
      const until = Math.min(made.length + SESSIONS_PER_TRANSACTION, count);
      inTransaction(() => {
        while (made.length < until) made.push(...insertPersonWithApps(insert));
      });
    }
    return made.slice(0, count);
  });
  const file = join(dataDir, '..', `tokens-${count}`);
  writeFileSync(file, `${tokens.join('\n')}\n`);
  return { file, count, length: TOKEN_LENGTH };
}

/** Fills a new data directory with people who are signed in with several browsers each. */
export function seedPeople(dataDir: string, count: number, browsersEach: number): SeededPerson[] {
  const [host = ''] = APP_HOSTS;
  return intoNewDatabase(dataDir, (insert, inTransaction) => {
    const people: SeededPerson[] = [];
    inTransaction(() => {
      while (people.length < count) {
        const userId = insert.user();
        const browsers = Array.from({ length: browsersEach }, () => {
          const { id, token } = insert.session({ userId, audience: originAudience(APPLIANCE_ORIGIN) });
          const child = insert.session({ userId, audience: hostAudience(host), parentId: id });
          return { token, childToken: child.token };
        });
        people.push({ browsers });
      }
    });
    return people;
  });
}

/** The person's tokens at the hosts, in their order. */
function insertPersonWithApps(insert: Inserts): SessionToken[] {
  const userId = insert.user();
  const parent = insert.session({ userId, audience: originAudience(APPLIANCE_ORIGIN) });
  return APP_HOSTS.map(
    (host) => insert.session({ userId, audience: hostAudience(host), parentId: parent.id }).token,
  );
}

/** Somebody who is signed in with a browser, and has let an MCP client use one resource. */
export interface SeededClient {
  cookie: SessionToken;
  accessToken: SessionToken;
}

/** Fills a new data directory with one such person. */
export function seedMcpClient(dataDir: string, resource: string): SeededClient {
  return intoNewDatabase(dataDir, (insert) => {
    const userId = insert.user();
    const browser = insert.session({ userId, audience: originAudience(APPLIANCE_ORIGIN) });
    const grant = insert.session({ userId, audience: resourceAudience(resource), kind: 'grant' });
    return { cookie: browser.token, accessToken: grant.token };
  });
}

function intoNewDatabase<T>(
  dataDir: string,
  fill: (insert: Inserts, inTransaction: (run: () => void) => void) => T,
): T {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const silent = { info: () => undefined, warn: () => undefined };
  const ring = loadKeyRing({
    config: { data_dir: dataDir, secret: undefined, previous_secrets: [] },
    log: silent,
  });
  migrateDatabase(databasePath(dataDir));
  const client = connect(databasePath(dataDir));
  try {
    // A crash loses nothing that anybody was told of.
    client.run('PRAGMA synchronous = OFF');
    client.run('PRAGMA cache_size = -1000000');
    const filled = fill(inserts(client, tokenMint(ring)), (run) => client.transaction(run)());
    client.run('PRAGMA wal_checkpoint(TRUNCATE)');
    return filled;
  } finally {
    client.close();
  }
}

interface NewSession {
  userId: string;
  audience: Audience;
  parentId?: string;
  /** By default `user`. */
  kind?: 'user' | 'grant';
}

type Inserts = ReturnType<typeof inserts>;

function inserts(client: Database, mint: TokenMint) {
  const now = Date.now();
  const end = now + 30 * DAY_MS;
  const user = client.prepare<unknown, Row>(`
    INSERT INTO users (id, username, username_key, display_name, email, email_key, groups, role, status, created_at_ms)
    VALUES ($id, $name, $name, $name, $email, $email, '["family"]', 'member', 'active', $now)`);
  const session = client.prepare<unknown, Row>(`
    INSERT INTO sessions (id, kind, user_id, parent_id, audience, status, created_at_ms, last_seen_at_ms,
      idle_timeout_ms, expires_at_ms, reap_at_ms, provider, address, user_agent, user_key)
    VALUES ($id, $kind, $userId, $parentId, $audience, 'active', $now, $now, $idle, $end, $now + $idle, 'home', '192.0.2.7',
      'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
      (SELECT row_key FROM users WHERE id = $userId))`);
  const credential = client.prepare<unknown, Row>(
    `INSERT INTO credentials (hash, session_key, "use") VALUES ($hash, (SELECT row_key FROM sessions WHERE id = $id), $use)`,
  );
  return {
    /** A new person; returns the id. */
    user(): string {
      const id = newId('usr');
      const name = id.slice(-16);
      user.run({ id, name, email: `${name}@example.com`, now });
      return id;
    },
    session({ userId, audience, parentId, kind = 'user' }: NewSession): { id: string; token: SessionToken } {
      const id = newId('ses');
      const use = kind === 'grant' ? 'access' : 'cookie';
      const token = mint.mint(use);
      const audiences = JSON.stringify([audience]);
      session.run({
        id,
        kind,
        userId,
        parentId: parentId ?? null,
        audience: audiences,
        now,
        idle: DAY_MS,
        end,
      });
      credential.run({ hash: hashToken(token), id, use });
      return { id, token };
    },
  };
}

type Row = Record<string, string | number | null>;
