import { sql } from 'drizzle-orm';
import { credentials, sessions, users } from '../db/schema/index.ts';
import { interner } from '../lib/interner.ts';
import type { User } from '../users/model.ts';
import type { Credential, FoundCredential, RecognisedSession } from './model.ts';

/** What a look-up reads, in the order of `FoundRow`: each column costs as much as a step into a table. */
export const FOUND_COLUMNS = {
  hash: credentials.hash,
  use: credentials.use,
  credentialExpiresAt: credentials.expiresAtMs,
  supersededAt: credentials.supersededAtMs,
  sessionId: sessions.id,
  kind: sessions.kind,
  parentId: sessions.parentId,
  audience: sessions.audience,
  sessionStatus: sessions.status,
  createdAt: sessions.createdAtMs,
  lastSeenAt: sessions.lastSeenAtMs,
  idleTimeout: sessions.idleTimeoutMs,
  sessionExpiresAt: sessions.expiresAtMs,
  clientId: sessions.clientId,
  userId: users.id,
  username: users.username,
  displayName: users.displayName,
  email: users.email,
  groups: users.groups,
  role: users.role,
  userStatus: users.status,
  endedBefore: users.endedBeforeMs,
  userCreatedAt: users.createdAtMs,
  lastSignInAt: users.lastSignInAtMs,
};

/** The same of a device session, whose key stands in the place of a token. */
export const SIGNER_COLUMNS = {
  ...FOUND_COLUMNS,
  hash: sessions.id,
  use: sql`'device'`,
  credentialExpiresAt: sql`null`,
  supersededAt: sql`null`,
  deviceId: sessions.deviceId,
  publicKey: sessions.clientPublicKey,
};

/** The columns as SQLite gives them. */
export type FoundRow = readonly [
  hash: Credential['hash'],
  use: Credential['use'],
  credentialExpiresAt: number | null,
  supersededAt: number | null,
  sessionId: RecognisedSession['id'],
  kind: RecognisedSession['kind'],
  parentId: RecognisedSession['id'] | null,
  audience: string,
  sessionStatus: RecognisedSession['status'],
  createdAt: number,
  lastSeenAt: number,
  idleTimeout: number | null,
  sessionExpiresAt: number | null,
  clientId: string | null,
  userId: User['id'],
  username: string,
  displayName: string,
  email: string | null,
  groups: string,
  role: User['role'],
  userStatus: User['status'],
  endedBefore: number | null,
  userCreatedAt: number,
  lastSignInAt: number | null,
];

export type SignerRow = readonly [...FoundRow, deviceId: string, publicKey: string];

/** Rows tell the same few words over and over; one copy of each keeps ten thousand sessions close together in memory. */
const word = interner((text: string) => text);
const list = interner((json: string): unknown => Object.freeze(JSON.parse(json)));

/** By place, because the hot path spends more time on finding columns by name than on the look-up itself. */
export function toFoundCredential(row: readonly [...FoundRow, ...unknown[]]): FoundCredential {
  const sessionId = row[4];
  const userId = row[14];
  return {
    credential: {
      hash: row[0],
      sessionId,
      use: word(row[1]) as Credential['use'],
      expiresAt: row[2] ?? undefined,
      supersededAt: row[3] ?? undefined,
    },
    session: {
      id: sessionId,
      kind: word(row[5]) as RecognisedSession['kind'],
      userId,
      parentId: row[6] ?? undefined,
      audience: list(row[7]) as RecognisedSession['audience'],
      status: word(row[8]) as RecognisedSession['status'],
      createdAt: row[9],
      lastSeenAt: row[10],
      idleTimeoutMs: row[11] ?? undefined,
      expiresAt: row[12] ?? undefined,
      clientId: row[13] ?? undefined,
    },
    user: {
      id: userId,
      username: row[15],
      displayName: row[16],
      email: row[17] ?? undefined,
      groups: list(row[18]) as readonly string[],
      role: word(row[19]) as User['role'],
      status: word(row[20]) as User['status'],
      endedBefore: row[21] ?? undefined,
      createdAt: row[22],
      lastSignInAt: row[23] ?? undefined,
    },
  };
}

export function toFoundSigner(row: SignerRow): FoundCredential {
  const found = toFoundCredential(row);
  return { ...found, credential: { ...found.credential, signer: { deviceId: row[24], publicKey: row[25] } } };
}
