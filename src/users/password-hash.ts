import { AppError } from '../lib/app-error.ts';
import { normalizePassword, PASSWORD_MAX_LENGTH } from './password-rules.ts';

/** Argon2id as OWASP's password storage cheat sheet asks at least: 19 MiB, two passes, one lane. */
export const ARGON2ID = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const;

/** The hash of a random secret that nobody has: unknown names cost as much work as known ones. */
export const NOBODYS_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$XZrTw0tpKvDtywipSzhZhLUgQL2ouRJzIp4NzfbcvL8$6p1Q3RrS5QG+Ei2VKysYV3p3a5cGj2Gf31+gQmQ2TsM';

/** Hashes computed at once; each takes 19 MiB and a core. */
const PARALLEL = 2;
/** Callers waiting per lane, beyond which they are sent away. */
const MAX_WAITING = 32;
const RETRY_AFTER_SECONDS = 2;

/** `known` goes first and has a queue of its own: a flood of strangers keeps no known browser out. */
export type HashLane = 'known' | 'stranger';

export type PasswordHasher = ReturnType<typeof passwordHasher>;

/** Argon2id with bounded parallelism. Both throw AppError `unavailable` (`too_busy`) when too many wait. */
export function passwordHasher({ parallel = PARALLEL, maxWaiting = MAX_WAITING } = {}) {
  const waiting: Record<HashLane, (() => void)[]> = { known: [], stranger: [] };
  let running = 0;

  const begin = async (lane: HashLane): Promise<void> => {
    if (running < parallel) {
      running++;
      return;
    }
    const queue = waiting[lane];
    if (queue.length >= maxWaiting) throw tooBusy();
    // Whoever ends hands its place on, so that `running` stays as it is.
    await new Promise<void>((resolve) => queue.push(resolve));
  };

  const end = (): void => {
    const next = waiting.known.shift() ?? waiting.stranger.shift();
    if (next === undefined) running--;
    else next();
  };

  const inTurn = async <T>(lane: HashLane, work: () => Promise<T>): Promise<T> => {
    await begin(lane);
    try {
      return await work();
    } finally {
      end();
    }
  };

  return {
    /** A PHC string of a password that passed `requireGoodPassword`. */
    hash(password: string): Promise<string> {
      return inTurn('known', () => Bun.password.hash(normalizePassword(password), ARGON2ID));
    },

    /** Whether the password fits the hash; without one the same work is done, and the answer is no. */
    async verify(password: string, hash: string | undefined, lane: HashLane): Promise<boolean> {
      const normalized = normalizePassword(password.slice(0, 4 * PASSWORD_MAX_LENGTH));
      const fits = await inTurn(lane, () =>
        Bun.password.verify(normalized, hash ?? NOBODYS_HASH, 'argon2id'),
      );
      return fits && hash !== undefined;
    },
  };
}

const tooBusy = () =>
  new AppError(
    'unavailable',
    'too_busy',
    'Too many people are signing in right now. Try again in a moment.',
    {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    },
  );
