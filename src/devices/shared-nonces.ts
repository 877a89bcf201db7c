import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import { isBelowFloor, type NonceMemory, type NonceVerdict, type SigningSession } from './nonces.ts';
import type { SignatureMarks } from './signature-marks.ts';
import type { NonceStore } from './store-nonces-redis.ts';

/** Who uses nonces up. */
export interface Nonces {
  /**
   * Uses a nonce up; `created` is that of its signature, in seconds. Only for signatures that were verified.
   * @throws AppError `unavailable` (`store_unavailable`) when nobody can tell.
   */
  take(session: SigningSession, nonce: string, created: number): MaybePromise<NonceVerdict>;
}

export interface SharedNoncesDeps {
  /** What was used with this process: it is refused without asking anybody. */
  memory: Pick<NonceMemory, 'take'>;
  store: NonceStore;
  /** The store's at the start of this process. */
  life: string;
  marks: Pick<SignatureMarks, 'floorOf' | 'startOver'>;
  clock: Clock;
  keptMs: number;
  /** Whether nothing is taken while the store does not answer; otherwise what this process remembers decides. */
  isStrict: boolean;
}

/**
 * Nonces that are used up for all processes at once. When the store may have forgotten some, it is for this process as if it had
 * just been started: nothing counts that was created before.
 */
export function sharedNonces(deps: SharedNoncesDeps): Nonces {
  const { memory, store, marks, clock, keptMs, isStrict } = deps;
  let { life } = deps;

  const noticeLife = (current: string) => {
    if (current === life) return;
    marks.startOver();
    life = current;
  };
  // Found out only by the next signed request, it would cost that request; where this fails, it does.
  store.onReturn(
    () =>
      void store
        .life()
        .then(noticeLife)
        .catch(() => undefined),
  );

  const ask = async (session: SigningSession, nonce: string, created: number): Promise<NonceVerdict> => {
    const now = clock.now() / 1_000;
    const answer = await store.take({
      sessionId: session.id,
      nonce,
      created,
      now,
      keptSeconds: keptMs / 1_000,
    });
    noticeLife(answer.life);
    // Here as well: what was forgotten once stays so, although whatever came since is remembered.
    return isBelowFloor(created, marks.floorOf(session), clock.now()) ? 'stale' : answer.verdict;
  };

  return {
    take(session, nonce, created) {
      const here = memory.take(session, nonce, created);
      if (here !== 'fresh') return here;
      const there = ask(session, nonce, created);
      return isStrict ? there : there.catch(localVerdict);
    },
  };
}

function localVerdict(error: unknown): NonceVerdict {
  if (error instanceof AppError && error.kind === 'unavailable') return 'fresh';
  throw error;
}
