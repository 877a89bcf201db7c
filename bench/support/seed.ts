import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'bun:sqlite';
import { loadKeyRing } from '../../src/config/secrets.ts';
import { databasePath } from '../../src/db/files.ts';
import { migrateDatabase } from '../../src/db/migrate.ts';
import { connect } from '../../src/db/open.ts';
import { newId } from '../../src/lib/random.ts';
import { hostAudience, originAudience } from '../../src/sessions/audience.ts';
import type { SessionId } from '../../src/sessions/model.ts';
import { hashToken, type TokenMint, TOKEN_LENGTH, tokenMint } from '../../src/sessions/token.ts';

/** Hosts behind forward-auth; every person has one session at each. */
export const APP_HOSTS = Array.from({ length: 10 }, (_, index) => `app-${index}.example.com`);
export const APPLIANCE_ORIGIN = 'https://auth.example.com';

const DAY_MS = 86_400_000;
const REST_PER_TRANSACTION = 20_000;

export interface SeededTokens {
  /** One token a line, all of `length` characters; the token in line i is good at `APP_HOSTS[i % APP_HOSTS.length]`. */
  file: string;
  count: number;
  length: number;
}

/**
 * Fills a new data directory with sessions as forward-auth makes them, `count` of them: each person has one browser session
 * on the appliance's own origin, and under it one child session at every host.
 */
export function seedChildSessions(dataDir: string, count: number): SeededTokens {
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
    const tokens = insertPeople(client, tokenMint(ring), count);
    client.run('PRAGMA wal_checkpoint(TRUNCATE)');
    const file = join(dataDir, '..', `tokens-${count}`);
    writeFileSync(file, `${tokens.join('\n')}\n`);
    return { file, count, length: TOKEN_LENGTH };
  } finally {
    client.close();
  }
}

function insertPeople(client: Database, mint: TokenMint, count: number): string[] {
  const insert = statements(client);
  const now = Date.now();
  const tokens: string[] = [];
  const insertBatch = client.transaction((until: number) => {
    while (tokens.length < until) tokens.push(...insertPerson(insert, mint, now));
  });
  while (tokens.length < count) insertBatch(Math.min(tokens.length + REST_PER_TRANSACTION, count));
  return tokens.slice(0, count);
}

/** The person's tokens at the hosts, in their order. */
function insertPerson(insert: ReturnType<typeof statements>, mint: TokenMint, now: number): string[] {
  const userId = newId('usr');
  const parentId = newId('ses');
  insert.user.run({ id: userId, name: userId.slice(-12), now });
  const common = { userId, now, idle: DAY_MS, end: now + 30 * DAY_MS };
  insert.session.run({
    ...common,
    id: parentId,
    parentId: null,
    audience: JSON.stringify([originAudience(APPLIANCE_ORIGIN)]),
  });
  return APP_HOSTS.map((host) => {
    const id = newId('ses') as SessionId;
    const token = mint.mint('cookie');
    insert.session.run({ ...common, id, parentId, audience: JSON.stringify([hostAudience(host)]) });
    insert.credential.run({ hash: hashToken(token), id });
    return token;
  });
}

function statements(client: Database) {
  return {
    user: client.prepare<unknown, { id: string; name: string; now: number }>(`
      INSERT INTO users (id, username, username_key, display_name, email, email_key, groups, role, status, created_at_ms)
      VALUES ($id, $name, $name, $name, $name || '@example.com', $name || '@example.com', '["family"]', 'member', 'active', $now)`),
    session: client.prepare<unknown, Record<string, string | number | null>>(`
      INSERT INTO sessions (id, kind, user_id, parent_id, audience, status, created_at_ms, last_seen_at_ms, idle_timeout_ms,
        expires_at_ms, provider, address, user_agent)
      VALUES ($id, 'user', $userId, $parentId, $audience, 'active', $now, $now, $idle, $end, 'home', '192.0.2.7',
        'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')`),
    credential: client.prepare<unknown, { hash: string; id: string }>(
      `INSERT INTO credentials (hash, session_id, "use") VALUES ($hash, $id, 'cookie')`,
    ),
  };
}
