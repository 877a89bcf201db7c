import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { SessionId } from '../sessions/model.ts';
import type { SigningSession } from './nonces.ts';
import type { SignatureMarkStore } from './store-signature-marks.ts';

export interface SignatureMarksDeps {
  db: Db;
  store: SignatureMarkStore;
  clock: Clock;
}

/** How much further than needed a mark is put, in seconds: a device whose clock runs ahead then costs one write in that time. */
const STEP_SECONDS = 10;

export type SignatureMarks = ReturnType<typeof signatureMarks>;

/**
 * What makes a signature that an earlier life of the appliance took be refused in this one. Nonces are remembered in memory
 * alone, or in Redis that may forget, so nothing counts that was created before the start; and where the clock of a device runs ahead, a row tells
 * the next life how far.
 */
export function signatureMarks({ db, store, clock }: SignatureMarksDeps) {
  let startedAt = clock.now();
  let fromBefore = new Map(store.all());
  const kept = new Map(fromBefore);

  const keep = async (id: SessionId, untilMs: number): Promise<void> => {
    await db.write((tx) => store.put(tx, id, untilMs));
    kept.set(id, untilMs);
  };

  return {
    /** What this session created by then (seconds since 1970) may have been used before. */
    floorOf: ({ id, createdAt }: SigningSession): number => {
      const beforeStart = createdAt < startedAt ? Math.ceil(startedAt / 1_000) - 1 : 0;
      return Math.max(beforeStart, (fromBefore.get(id) ?? 0) / 1_000);
    },

    /** From now on as after a start: what was remembered of nonces is lost. @throws AppError `unavailable`. */
    startOver(): void {
      fromBefore = new Map(store.all());
      // What is signed in this very millisecond may have been used in it.
      startedAt = clock.now() + 1;
    },

    /** Notes that a signature was taken; where it was created ahead of our time, what is returned has to be awaited first. */
    taken: (id: SessionId, created: number): Promise<void> | undefined => {
      const createdAt = created * 1_000;
      if (createdAt <= clock.now() || createdAt <= (kept.get(id) ?? 0)) return undefined;
      return keep(id, createdAt + STEP_SECONDS * 1_000);
    },

    reapTask: { name: 'signature_marks', deleteExpired: store.deleteExpired },
  };
}
