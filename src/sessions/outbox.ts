import { afterCommit, type Tx } from '../db/write.ts';
import type { UserId } from '../users/model.ts';
import type { SessionEvents } from './events.ts';
import type { SessionSnapshot } from './model.ts';
import type { Everywhere, OutboxMessage, OutboxRow, OutboxStore } from './store-outbox.ts';

/** How many rows one sweep publishes at a time. */
const SWEEP_ROWS = 500;
/** How many rows one transaction deletes, so that it does not hold the event loop for long; the next takes the rest. */
const MAX_SETTLED = 2_000;

/**
 * Events leave through rows that are committed with the act they tell of: nothing is published inside a transaction, and
 * nothing committed stays untold, whenever the process dies.
 */
export interface Outbox {
  /** Publishes the snapshots once `tx` has been committed. What only changed is news for other processes alone. */
  send(tx: Tx, snapshots: readonly SessionSnapshot[], at: number): void;
  /** Has one snapshot published for each session of which is found, later, that this ended it. For other processes alone. */
  sendEverywhere(tx: Tx, everywhere: Everywhere, at: number): void;
  /** Has every session of this person read again. For other processes alone. */
  sendPerson(tx: Tx, userId: UserId, at: number): void;
  /** Publishes what an earlier life committed and could not tell. */
  publishLeftOvers(): void;
  /** Deletes the rows that have been published, in a transaction that is written anyway. */
  settle(tx: Tx): void;
  /** Whether there are rows to delete. */
  readonly isUnsettled: boolean;
}

/** Takes committed rows to other processes, and notes that they are told. What fails is tried again. */
export interface OutboxCarrier {
  carry(rows: readonly OutboxRow[]): void;
}

/** Without a `carrier` there are no other processes, and nothing is written for them. */
export function outbox(store: OutboxStore, events: SessionEvents, carrier?: OutboxCarrier): Outbox {
  return carrier === undefined ? localOutbox(store, events) : sharedOutbox(store, events, carrier);
}

function localOutbox(store: OutboxStore, events: SessionEvents): Outbox {
  const published = new Set<number>();
  const publish = (ids: readonly number[], snapshots: readonly SessionSnapshot[]) => {
    events.publish(snapshots);
    for (const id of ids) published.add(id);
  };
  return {
    send(tx, snapshots, at) {
      const ended = snapshots.filter(({ change }) => change !== 'changed');
      if (ended.length === 0) return;
      const ids = store.insert(tx, ended, at);
      afterCommit(tx, () => publish(ids, ended));
    },
    sendEverywhere: () => undefined,
    sendPerson: () => undefined,
    publishLeftOvers() {
      for (let rows = store.after(0, SWEEP_ROWS); rows.length > 0; ) {
        const untold = rows.filter(({ id }) => !published.has(id));
        publish(
          untold.map(({ id }) => id),
          untold.flatMap(({ message }) => ('change' in message ? message : [])),
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

/** The carrier notes which rows are told, and a reaper deletes those: each process reads them until then. */
function sharedOutbox(store: OutboxStore, events: SessionEvents, carrier: OutboxCarrier): Outbox {
  const insert = (tx: Tx, messages: readonly OutboxMessage[], at: number): OutboxRow[] =>
    store.insert(tx, messages, at).flatMap((id, index) => {
      const message = messages[index];
      return message === undefined ? [] : { id, at, message };
    });
  const sendOne = (tx: Tx, message: OutboxMessage, at: number) => {
    const rows = insert(tx, [message], at);
    afterCommit(tx, () => carrier.carry(rows));
  };
  return {
    send(tx, snapshots, at) {
      if (snapshots.length === 0) return;
      const rows = insert(tx, snapshots, at);
      afterCommit(tx, () => {
        carrier.carry(rows);
        events.publish(snapshots);
      });
    },
    sendEverywhere: (tx, everywhere, at) => sendOne(tx, { everywhere }, at),
    sendPerson: (tx, person, at) => sendOne(tx, { person }, at),
    publishLeftOvers: () => undefined,
    settle: () => undefined,
    isUnsettled: false,
  };
}
