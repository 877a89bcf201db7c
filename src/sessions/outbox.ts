import { afterCommit, type Tx } from '../db/write.ts';
import type { SessionEvents } from './events.ts';
import type { SessionSnapshot } from './model.ts';
import type { OutboxStore } from './store-outbox.ts';

/** How many rows one sweep publishes at a time. */
const SWEEP_ROWS = 500;
/** How many rows one transaction deletes, so that it does not hold the event loop for long; the next takes the rest. */
const MAX_SETTLED = 2_000;

/**
 * Events leave through rows that are committed with the act they tell of: nothing is published inside a transaction, and
 * nothing committed stays untold, whenever the process dies.
 */
export interface Outbox {
  /** Publishes the snapshots once `tx` has been committed. */
  send(tx: Tx, snapshots: readonly SessionSnapshot[], at: number): void;
  /** Publishes what an earlier life committed and could not tell. */
  publishLeftOvers(): void;
  /** Deletes the rows that have been published, in a transaction that is written anyway. */
  settle(tx: Tx): void;
  /** Whether there are rows to delete. */
  readonly isUnsettled: boolean;
}

export function outbox(store: OutboxStore, events: SessionEvents): Outbox {
  const published = new Set<number>();
  const publish = (ids: readonly number[], snapshots: readonly SessionSnapshot[]) => {
    events.publish(snapshots);
    for (const id of ids) published.add(id);
  };
  return {
    send(tx, snapshots, at) {
      if (snapshots.length === 0) return;
      const ids = store.insert(tx, snapshots, at);
      afterCommit(tx, () => publish(ids, snapshots));
    },
    publishLeftOvers() {
      for (let rows = store.after(0, SWEEP_ROWS); rows.length > 0; ) {
        const untold = rows.filter(({ id }) => !published.has(id));
        publish(
          untold.map(({ id }) => id),
          untold.map(({ snapshot }) => snapshot),
        );
        rows = store.after(rows.at(-1)?.id ?? Infinity, SWEEP_ROWS);
      }
    },
    settle(tx) {
      const ids = [...published].slice(0, MAX_SETTLED);
      store.delete(tx, ids);
      afterCommit(tx, () => {
        for (const id of ids) published.delete(id);
      });
    },
    get isUnsettled() {
      return published.size > 0;
    },
  };
}
