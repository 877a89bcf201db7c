import { AppError } from '../lib/app-error.ts';
import type { Counter } from '../lib/metrics.ts';
import type { UserId } from '../users/model.ts';
import type { SessionEvents } from './events.ts';
import { type EventStream, encodeEvent, eventStream } from './events-stream.ts';
import type { Ledger } from './ledger.ts';
import type { Session, SessionId, SessionSnapshot } from './model.ts';

export interface SessionEventStreamsDeps {
  ledger: Pick<Ledger, 'attach' | 'list'>;
  events: SessionEvents;
  /** What programs are told of a session. */
  describe: (session: Session) => unknown;
  maxStreamsPerUser: number;
  /** Counts readers that were let go because they fell behind. */
  tooSlow: Counter;
}

/** All open streams of session events; disposing ends them. */
export interface SessionEventStreams extends Disposable {
  /**
   * A stream of what becomes of the user's sessions, until `session` ends.
   * @throws AppError `too_many_requests` (`too_many_streams`), `unauthorized` (`session_ended`), `unavailable`
   * (`shutting_down`).
   */
  open(session: Pick<Session, 'id' | 'userId'>): EventStream;
  /** A comment in each stream, so that what stands between leaves it open. */
  keepAlive(): void;
  /** Tells of sessions that ran out: nobody publishes that time has passed. */
  tellExpired(): void;
  readonly count: number;
}

type Change = SessionSnapshot['change'] | 'expired';

/** The streams of one user, and the sessions that were live when last looked. */
interface Watch {
  readonly streams: Set<EventStream>;
  live: Map<SessionId, Session>;
}

const encoder = new TextEncoder();

/** What is sent is encoded once per user, however many streams they have open. */
export function sessionEventStreams({
  ledger,
  events,
  describe,
  maxStreamsPerUser,
  tooSlow,
}: SessionEventStreamsDeps): SessionEventStreams {
  const watches = new Map<UserId, Watch>();
  let count = 0;
  let closed = false;

  const tell = ({ streams }: Watch, changes: readonly { change: Change; session: Session }[]) => {
    const text = changes.map(({ change, session }) => encodeEvent(change, describe(session))).join('');
    const chunk = encoder.encode(text);
    for (const stream of streams) stream.send(chunk);
  };

  const onSnapshots = (snapshots: readonly SessionSnapshot[]) => {
    if (watches.size === 0) return;
    for (const [userId, ofUser] of Map.groupBy(snapshots, ({ session }) => session.userId)) {
      const watch = watches.get(userId);
      if (watch === undefined) continue;
      for (const { change, session } of ofUser) {
        if (change === 'created') watch.live.set(session.id, session);
        else watch.live.delete(session.id);
      }
      tell(watch, ofUser);
    }
  };

  const forget = (userId: UserId, watch: Watch, stream: EventStream) => {
    if (!watch.streams.delete(stream)) return;
    count--;
    if (watch.streams.size === 0) watches.delete(userId);
  };

  const everyStream = () => [...watches.values()].flatMap(({ streams }) => [...streams]);

  const subscription = events.subscribe(onSnapshots);

  return {
    open(session) {
      if (closed) throw shuttingDown();
      const { userId } = session;
      const watch = watches.get(userId) ?? { streams: new Set(), live: new Map() };
      if (watch.streams.size >= maxStreamsPerUser) throw tooManyStreams();
      const stream = eventStream((reason) => {
        if (reason === 'too_slow') tooSlow.inc();
        attachment[Symbol.dispose]();
        forget(userId, watch, stream);
      });
      const attachment = ledger.attach(session.id, (reason) => stream.end(reason));
      // Read after attaching: an end before that was told to nobody here, and an end after it closes the stream.
      const live = new Map(ledger.list(userId).map((each) => [each.id, each]));
      if (!live.has(session.id)) {
        stream.abandon();
        throw sessionEnded();
      }
      if (watch.streams.size === 0) watch.live = live;
      watches.set(userId, watch);
      watch.streams.add(stream);
      count++;
      return stream;
    },
    keepAlive() {
      for (const stream of everyStream()) stream.keepAlive();
    },
    tellExpired() {
      for (const [userId, watch] of watches) {
        const before = watch.live;
        watch.live = new Map(ledger.list(userId).map((each) => [each.id, each]));
        const gone = [...before.values()].filter(({ id }) => !watch.live.has(id));
        if (gone.length > 0)
          tell(
            watch,
            gone.map((session) => ({ change: 'expired', session })),
          );
      }
    },
    get count() {
      return count;
    },
    [Symbol.dispose]() {
      closed = true;
      subscription[Symbol.dispose]();
      for (const stream of everyStream()) stream.end('shutting_down');
    },
  };
}

const tooManyStreams = () =>
  new AppError('too_many_requests', 'too_many_streams', 'Close another stream of events first.', {
    retryAfterSeconds: 30,
  });

const sessionEnded = () =>
  new AppError('unauthorized', 'session_ended', 'The session that asked for this has ended.');

const shuttingDown = () =>
  new AppError('unavailable', 'shutting_down', 'The appliance is shutting down.', { retryAfterSeconds: 5 });
