import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { newId } from '../lib/random.ts';
import type { UpstreamGrant, UpstreamGrantId } from './model.ts';
import type { GrantTurn, Turn, TurnStore } from './store-turns.ts';

/** Whether this process may ask the provider now. */
export type TurnAnswer =
  | { readonly kind: 'mine' }
  /** The grant is another one by now, or gone: somebody else had the turn. */
  | { readonly kind: 'superseded' }
  /** Somebody else has asked in vain: nobody asks again for so long. */
  | { readonly kind: 'later'; readonly retryAfterMs: number };

/** Whose turn it is to refresh a grant: never two of the processes that share it, because a refresh token is used once. */
export interface Turns extends Disposable {
  /** Takes the turn, or waits for whoever has it. @throws AppError `unavailable` when the database cannot take it. */
  take(grant: UpstreamGrant): Promise<TurnAnswer>;
  /** Gives the turn up; nobody asks before `retryAfterMs` have passed. Never rejects. */
  postpone(grant: UpstreamGrant, retryAfterMs: number): Promise<void>;
  /** The grant has its new tokens, or is over. */
  finish(tx: Tx, id: UpstreamGrantId): void;
  /** How soon tokens that could not be committed have to be tried again, so that nobody takes the turn meanwhile. */
  readonly commitWithinMs: number;
}

const MINE = { kind: 'mine' } as const;
const SUPERSEDED = { kind: 'superseded' } as const;

/** Where one process has the data to itself every turn is its own, and nothing is written. */
export const ownTurns: Turns = {
  take: async () => MINE,
  postpone: async () => undefined,
  finish: () => undefined,
  commitWithinMs: Infinity,
  [Symbol.dispose]: () => undefined,
};

export interface SharedTurnsDeps {
  db: Db;
  store: TurnStore;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  log: Logger;
  /** How long a refresh may take at the most. */
  holdMs: number;
  /** Longest wait between two refreshes that fail. */
  longestWaitMs: number;
}

/** How often whoever waits looks whether the other is done. */
const LOOK_MS = 100;
/**
 * How long whoever is late is given to commit what the provider answered, from an instant at which the database took a write: after
 * an outage of the disk the process with the new tokens comes first.
 */
const DOUBT_MS = 5_000;
const COMMIT_WITHIN_MS = 2_000;

/** Turns as rows that all processes see. One that died keeps its turn until its time has passed. */
export function sharedTurns({ db, store, clock, log, holdMs, longestWaitMs }: SharedTurnsDeps): Turns {
  const self = newId('prc');
  const closing = new AbortController();

  /** A turn that ends absurdly late was taken while the clock was wrong. */
  const isOver = ({ untilAt }: Turn, now: number) =>
    now >= untilAt || untilAt - now > Math.max(holdMs, longestWaitMs);

  const judge = (
    { version }: UpstreamGrant,
    found: GrantTurn | undefined,
    now: number,
  ): TurnAnswer | 'held' | 'doubtful' => {
    if (found?.isActive !== true || found.version !== version) return SUPERSEDED;
    const { turn } = found;
    if (turn === undefined || turn.holder === self) return MINE;
    if (!isOver(turn, now))
      return turn.holder === undefined ? { kind: 'later', retryAfterMs: turn.untilAt - now } : 'held';
    if (turn.holder === undefined) return MINE;
    if (turn.doubtedAt === undefined) return 'doubtful';
    return now >= turn.doubtedAt + DOUBT_MS ? MINE : 'held';
  };

  const takeNow = (tx: Tx, grant: UpstreamGrant): TurnAnswer | 'held' => {
    const now = clock.now();
    const found = store.read(tx, grant.id);
    const answer = judge(grant, found, now);
    if (answer === MINE)
      store.put(tx, grant.id, { holder: self, untilAt: now + holdMs, doubtedAt: undefined });
    if (answer !== 'doubtful') return answer;
    if (found?.turn !== undefined) store.put(tx, grant.id, { ...found.turn, doubtedAt: now });
    return 'held';
  };

  /** Reads alone: looking costs no commit. `false`: this process is shutting down. */
  const awaitChange = async (grant: UpstreamGrant): Promise<boolean> => {
    do {
      const woken = await sleep(clock, LOOK_MS, closing.signal).then(
        () => true,
        () => false,
      );
      if (!woken) return false;
    } while (judge(grant, store.find(grant.id), clock.now()) === 'held');
    return true;
  };

  return {
    commitWithinMs: COMMIT_WITHIN_MS,

    async take(grant) {
      for (;;) {
        const answer = await db.write((tx) => takeNow(tx, grant));
        if (answer !== 'held') return answer;
        if (!(await awaitChange(grant))) return { kind: 'later', retryAfterMs: 1_000 };
      }
    },

    async postpone(grant, retryAfterMs) {
      const turn = { holder: undefined, untilAt: clock.now() + retryAfterMs, doubtedAt: undefined };
      const isMine = (tx: Tx) => store.read(tx, grant.id)?.turn?.holder === self;
      await db
        .write((tx) => {
          if (isMine(tx)) store.put(tx, grant.id, turn);
        })
        .catch((error: unknown) => log.debug('a turn could not be given up; it runs out', { error }));
    },

    finish: (tx, id) => store.delete(tx, id),

    [Symbol.dispose]: () => closing.abort(),
  };
}
