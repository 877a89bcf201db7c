import { LRUCache } from 'lru-cache';
import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { UserId } from '../users/model.ts';
import type { ServerAbout } from './exchange.ts';
import { isJsonObject } from './json-rpc.ts';
import type { Backend } from './model.ts';
import { aboutStore } from './store-abouts.ts';

/** What servers said of themselves at their last start, for each person apart. */
export interface AboutCache {
  /** Never throws: without an answer the server is waited for. */
  find(userId: UserId, backend: Backend): ServerAbout | undefined;
  /** Written when it differs from what is known. */
  keep(userId: UserId, backend: Backend, about: ServerAbout): void;
}

/** The longest that is kept, in characters; a server that has more to say is waited for. */
const MAX_LENGTH = 65_536;
const MAX_IN_MEMORY = 1_000;

interface Kept {
  readonly fingerprint: string;
  readonly text: string;
  readonly about: ServerAbout;
}

export function aboutCache({ db, clock, log }: { db: Db; clock: Clock; log: Logger }): AboutCache {
  const store = aboutStore(db);
  const inMemory = new LRUCache<string, Kept>({ max: MAX_IN_MEMORY });
  const keyOf = (userId: UserId, { name }: Backend) => `${userId} ${name}`;

  const read = (userId: UserId, backend: Backend): Kept | undefined => {
    const row = store.find(userId, backend.name);
    const about = row === undefined ? undefined : readAbout(row.about);
    if (row === undefined || about === undefined) return undefined;
    return { fingerprint: row.fingerprint, text: JSON.stringify(about), about };
  };
  const find = (userId: UserId, backend: Backend): Kept | undefined => {
    const key = keyOf(userId, backend);
    let kept = inMemory.get(key);
    if (kept === undefined) {
      try {
        kept = read(userId, backend);
      } catch (error) {
        log.warn('what an MCP server said of itself could not be read', { backend: backend.name, error });
      }
      if (kept !== undefined) inMemory.set(key, kept);
    }
    return kept?.fingerprint === fingerprintOf(backend) ? kept : undefined;
  };

  return {
    find: (userId, backend) => find(userId, backend)?.about,
    keep(userId, backend, about) {
      const text = JSON.stringify(about);
      if (text.length > MAX_LENGTH || find(userId, backend)?.text === text) return;
      const fingerprint = fingerprintOf(backend);
      inMemory.set(keyOf(userId, backend), { fingerprint, text, about });
      const row = { userId, backend: backend.name, fingerprint, about: { ...about }, updatedAt: clock.now() };
      db.write((tx) => store.put(tx, row)).catch((error: unknown) => {
        log.warn('what an MCP server said of itself could not be kept', { backend: backend.name, error });
      });
    },
  };
}

function fingerprintOf({ transport }: Backend): string {
  const started = transport.kind === 'stdio' ? transport.argv : transport.url;
  return Bun.hash(JSON.stringify(started)).toString(36);
}

function readAbout(stored: Readonly<Record<string, unknown>>): ServerAbout | undefined {
  const { protocolVersion, serverInfo, capabilities, instructions } = stored;
  if (typeof protocolVersion !== 'string' || !isJsonObject(serverInfo) || !isJsonObject(capabilities)) {
    return undefined;
  }
  return {
    protocolVersion,
    serverInfo,
    capabilities,
    instructions: typeof instructions === 'string' ? instructions : undefined,
  };
}
