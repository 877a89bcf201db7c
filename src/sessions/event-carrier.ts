import type { Clock } from '../lib/clock.ts';
import type { Counter } from '../lib/metrics.ts';
import type { UserId } from '../users/model.ts';
import type { HereParts } from './elsewhere.ts';
import { type EventStreamName, encodeEvent, encodePerson } from './event-wire.ts';
import type { Session } from './model.ts';
import type { OutboxCarrier } from './outbox.ts';
import type { OwnEvents } from './own-events.ts';
import type { Everywhere, OutboxRow } from './store-outbox.ts';

/** What an event is on its way out. */
export interface OutgoingEvent {
  readonly stream: EventStreamName;
  readonly fields: readonly string[];
}

export interface EventCarrierDeps {
  here: Pick<HereParts, 'outbox' | 'settleRows' | 'activeOf' | 'endEverywhere'> & {
    cache: Pick<HereParts['cache'], 'evict'>;
  };
  own: OwnEvents;
  /** Says of each whether it is published for sure. Rejects when nobody knows. */
  publish: (events: readonly OutgoingEvent[]) => Promise<readonly boolean[]>;
  clock: Clock;
  /** Told why something has to wait. */
  onFailure: (error: unknown) => void;
  published: Counter;
}

export interface EventCarrier extends OutboxCarrier {
  /** Once, and nobody minds if it fails. */
  announce(sessions: readonly Session[]): void;
  /** Tries what waits. */
  retry(): void;
  /** Takes rows that somebody else has left. */
  sweep(): void;
  /** Resolves when nothing is on its way. */
  settled(): Promise<void>;
}

/** Rows taken at a time. */
const ROWS_AT_ONCE = 500;
/** Who commits a row publishes it within milliseconds, unless it died. */
const LEFT_AFTER_MS = 1_000;

/** Publishes the rows of the outbox in their order, and notes in the database that they are out. */
export function eventCarrier(deps: EventCarrierDeps): EventCarrier {
  const { here, onFailure, clock } = deps;
  const publish = publisher(deps);
  const leftFor = leftForAWhile(clock);
  const settlement = settling(here.settleRows, onFailure);
  /** Rows to publish now, and those that could not be. */
  let queue: OutboxRow[] = [];
  let failed: OutboxRow[] = [];
  /** Of both, and of what is on its way. */
  const inHand = new Set<number>();
  let working: Promise<void> | undefined;

  const settle = (rows: readonly OutboxRow[]) => {
    for (const { id } of rows) inHand.delete(id);
    settlement.add(rows.map(({ id }) => id));
  };
  /** Snapshots of many rows go out together; what has to be looked up first, each for itself. */
  const tell = async (rows: readonly OutboxRow[]) => {
    const sessions = rows.flatMap(({ message }) => ('change' in message ? message.session : []));
    const taken = await publish(sessions);
    const snapshots = rows.filter(({ message }) => 'change' in message);
    settle(snapshots.filter((_, index) => taken[index]));
    for (const row of rows) {
      const { message } = row;
      if ('change' in message) continue;
      const isTold = await ('person' in message
        ? tellPerson(message.person)
        : tellEverywhere(message.everywhere));
      if (isTold) settle([row]);
    }
  };
  /** Memory of others may hold sessions that no list has any more. */
  const tellAll = async (userId: UserId) => (await deps.publish([encodePerson(userId)])).every(Boolean);
  const tellPerson = async (userId: UserId) =>
    (await tellAll(userId)) && (await publish(await here.activeOf(userId))).every(Boolean);
  const tellEverywhere = async (everywhere: Everywhere) => {
    if (!(await tellAll(everywhere.userId))) return false;
    await here.endEverywhere(everywhere);
    return true;
  };

  /** What is given in one turn goes out together. What failed waits for the next heartbeat. */
  const work = async () => {
    await Promise.resolve();
    while (queue.length > 0) {
      const rows = queue.splice(0, ROWS_AT_ONCE);
      try {
        await tell(rows);
      } catch (error) {
        onFailure(error);
        rows.push(...queue.splice(0));
      }
      failed.push(...rows.filter(({ id }) => inHand.has(id)));
    }
    working = undefined;
  };
  const begin = (rows: readonly OutboxRow[]) => {
    queue.push(...rows);
    if (queue.length > 0) working ??= work();
  };

  const carry = (rows: readonly OutboxRow[]) => {
    const untold = rows.filter(({ id }) => !inHand.has(id) && !settlement.has(id));
    for (const { id } of untold) inHand.add(id);
    begin(untold);
  };
  return {
    carry,
    announce: (sessions) => void publish(sessions).catch(() => undefined),
    retry() {
      const again = failed;
      failed = [];
      begin(again);
      settlement.retry();
    },
    sweep() {
      const until = clock.now() - LEFT_AFTER_MS;
      const upTo = leftFor(here.outbox.newestEver());
      for (let last = 0, more = true; more; ) {
        const rows = here.outbox.after(last, ROWS_AT_ONCE, { until, upTo });
        last = rows.at(-1)?.id ?? last;
        more = rows.length === ROWS_AT_ONCE;
        carry(rows);
      }
    },
    async settled() {
      const underWay = () => [working, settlement.working].filter((each) => each !== undefined);
      while (underWay().length > 0) await Promise.all(underWay());
    },
  };
}

/** The wall clock may have been set back since a row was written: what was there a while ago is left, whatever stands in it. */
function leftForAWhile(clock: Clock) {
  let seen: { readonly newest: number; readonly at: number } | undefined;
  let left = 0;
  return (newest: number): number => {
    const now = clock.monotonicNow();
    if (seen === undefined || now - seen.at >= LEFT_AFTER_MS) {
      left = seen?.newest ?? 0;
      seen = { newest, at: now };
    }
    return left;
  };
}

/** Publishes, and knows its events when they come back. */
function publisher({ here, own, publish, published }: EventCarrierDeps) {
  const doubt = (sessions: readonly Session[]) => {
    own.unknown(sessions);
    // What another process said of one in the meantime was taken for ours.
    for (const { id } of sessions) here.cache.evict(id);
  };

  return async (sessions: readonly Session[]): Promise<readonly boolean[]> => {
    if (sessions.length === 0) return [];
    own.sent(sessions);
    let taken: readonly boolean[] = [];
    try {
      taken = await publish(sessions.map(encodeEvent));
    } finally {
      doubt(sessions.filter((_, index) => taken[index] !== true));
    }
    published.inc(taken.filter(Boolean).length);
    return taken;
  };
}

/** Rows that are published, until the database knows it. */
function settling(settleRows: HereParts['settleRows'], onFailure: (error: unknown) => void) {
  const told = new Set<number>();
  let working: Promise<void> | undefined;
  const work = async () => {
    try {
      while (told.size > 0) {
        const ids = [...told].slice(0, ROWS_AT_ONCE);
        await settleRows(ids);
        for (const id of ids) told.delete(id);
      }
    } catch (error) {
      onFailure(error);
    }
    working = undefined;
  };
  const begin = () => {
    if (told.size > 0) working ??= work();
  };
  return {
    add(ids: readonly number[]) {
      for (const id of ids) told.add(id);
      begin();
    },
    has: (id: number) => told.has(id),
    retry: begin,
    get working() {
      return working;
    },
  };
}
