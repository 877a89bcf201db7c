import { LRUCache } from 'lru-cache';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { afterCommit } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { listeners } from '../lib/listeners.ts';
import type { Logger } from '../lib/log.ts';
import { once } from '../lib/once.ts';
import { newId } from '../lib/random.ts';
import type { Actor, UserId } from '../users/model.ts';
import type { Announcements } from './announcements.ts';
import type { UserSecretId } from './model.ts';
import type { Needs } from './needs.ts';
import type { UserSecretStore } from './store-secrets.ts';
import type { Vault } from './vault.ts';

export interface SecretsDeps {
  db: Db;
  clock: Clock;
  log: Logger;
  audit: AuditRecorder;
  store: UserSecretStore;
  vault: Vault;
  needs: Needs;
  announce: Pick<Announcements, 'secret'>;
}

/** Longest value, in characters: an environment variable takes 128 KiB, and tokens are a few hundred. */
export const SECRET_MAX_LENGTH = 8_192;

/** What an environment variable and a header both take. */
const VALUE = new RegExp(`^[\\x20-\\x7e]{1,${SECRET_MAX_LENGTH}}$`);

/** A secret that a backend asks for, and whether the person has given it. */
export interface SecretState {
  readonly name: string;
  /** Backends that are given it; empty: none asks for it any more. */
  readonly backends: readonly string[];
  /** Epoch milliseconds; absent: it is not there. */
  readonly updatedAt: number | undefined;
}

/** Names one secret of one person. */
export interface SecretOfUser {
  readonly userId: UserId;
  readonly name: string;
}

/** Secrets that are remembered as known. */
const MAX_KNOWN = 10_000;

export type Secrets = ReturnType<typeof secrets>;

/** Secrets that people paste, for servers that take a personal access token. Nobody reads them back but a backend of theirs. */
export function secrets({ db, clock, log, audit, store, vault, needs, announce }: SecretsDeps) {
  const changed = listeners<SecretOfUser>((error) =>
    log.error('somebody who was to hear of a secret failed', { error }),
  );
  /** The row that was last given to somebody here, or told of, as far as there is room. */
  const known = once(() => new LRUCache<string, UserSecretId | 'none'>({ max: MAX_KNOWN }));
  const learn = ({ userId, name }: SecretOfUser, id: UserSecretId | undefined) =>
    known().set(`${userId} ${name}`, id ?? 'none');
  const tellChanged = (of: SecretOfUser, id: UserSecretId | undefined) => {
    learn(of, id);
    changed.tell(of);
  };

  const catchUp = ({ userId, name }: SecretOfUser): void => {
    const id = store.find(userId, name)?.id;
    if (known().get(`${userId} ${name}`) !== (id ?? 'none')) tellChanged({ userId, name }, id);
  };

  return {
    onChanged: changed.add,

    /** The value; `undefined`: there is none, or none of our keys opens it. */
    find(userId: UserId, name: string): string | undefined {
      const secret = store.find(userId, name);
      learn({ userId, name }, secret?.id);
      return secret === undefined ? undefined : vault.openSecret(secret);
    },

    /** What backends ask for, and what is there besides, by name. */
    list(userId: UserId): SecretState[] {
      const there = new Map(store.list(userId).map(({ name, updatedAt }) => [name, updatedAt]));
      const names = [...new Set([...needs.secrets, ...there.keys()])].toSorted();
      return names.map((name) => ({
        name,
        backends: needs.backendsOfSecret(name),
        updatedAt: there.get(name),
      }));
    },

    /**
     * Keeps a value in the place of the one before. White space around it is what pasting adds, and is dropped.
     * @throws AppError `unprocessable` (`unknown_secret`, `bad_secret`).
     */
    async store(name: string, typed: string, by: Actor & { userId: UserId }): Promise<void> {
      if (!needs.secrets.has(name)) {
        throw new AppError('unprocessable', 'unknown_secret', 'No app here asks for a secret of this name.');
      }
      const value = typed.trim();
      if (!VALUE.test(value)) {
        throw new AppError(
          'unprocessable',
          'bad_secret',
          `A secret is one line of at most ${SECRET_MAX_LENGTH} printable ASCII characters.`,
        );
      }
      const { userId } = by;
      const place = { id: newId('sec') as UserSecretId, userId };
      await db.write((tx) => {
        const now = clock.now();
        store.put(tx, { ...place, name, sealed: vault.sealSecret(place, value), updatedAt: now });
        audit.record(tx, {
          at: now,
          action: 'secret.stored',
          outcome: 'success',
          ...actor(by),
          detail: { name },
        });
        afterCommit(tx, () => tellChanged({ userId, name }, place.id));
        announce.secret(tx, { userId, name });
      });
    },

    /** `false`: there was none. */
    remove(name: string, by: Actor & { userId: UserId }): Promise<boolean> {
      const { userId } = by;
      return db.write((tx) => {
        if (!store.remove(tx, userId, name)) return false;
        const at = clock.now();
        audit.record(tx, {
          at,
          action: 'secret.removed',
          outcome: 'success',
          ...actor(by),
          detail: { name },
        });
        afterCommit(tx, () => tellChanged({ userId, name }, undefined));
        announce.secret(tx, { userId, name });
        return true;
      });
    },

    /** Tells that another process has stored or removed a secret, unless it is known here. */
    catchUp,

    /** The same for all that somebody here was given, where it could not be heard. */
    catchUpAll(): void {
      const keys = [...known().keys()];
      for (const key of keys) {
        const [userId = '', name = ''] = key.split(' ');
        catchUp({ userId: userId as UserId, name });
      }
    },
  };
}

function actor({ userId, address, userAgent }: Actor) {
  return { actorUserId: userId, address, userAgent };
}
