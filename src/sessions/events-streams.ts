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
  open(session: Pick<Session, 'id' | 'userId'>): Promise<EventStream>;
  /** A comment in each stream, so that what stands between leaves it open. */
  keepAlive(): void;
  /** Tells of sessions that ran out: nobody publishes that time has passed. */
  tellExpired(): Promise<void>;
  readonly count: number;
}

type Change = 'created' | 'revoked' | 'expired';

/** The streams of one user, and the sessions that were live when last looked. */
interface Watch {
  readonly streams: Set<EventStream>;
  live: Map<SessionId, Session>;
  /** Whether `live` was ever read. */
  isRead: boolean;
  /** How often something was told: what was asked for before that is older. */
  told: number;
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
      watch.told++;
      const changes = ofUser.flatMap((snapshot) => note(watch, snapshot) ?? []);
      if (changes.length > 0) tell(watch, changes);
    }
  };

  /** What began in another process comes as a change; of other changes there is nothing to tell. */
  const note = ({ live, isRead }: Watch, { change, session }: SessionSnapshot) => {
    const isKnown = live.has(session.id);
    if (change === 'revoked') live.delete(session.id);
    else live.set(session.id, session);
    if (change !== 'changed') return { change, session };
    return isKnown || !isRead ? undefined : { change: 'created' as const, session };
  };

  const forget = (userId: UserId, watch: Watch, stream: EventStream) => {
    if (!watch.streams.delete(stream)) return;
    count--;
    if (watch.streams.size === 0) watches.delete(userId);
  };

  /** `isNewest`: nothing was told while the ledger was asked, so that the answer may stand for what is live. */
  const ask = async (userId: UserId, watch: Watch) => {
    const { told } = watch;
    const live = new Map((await ledger.list(userId)).map((each) => [each.id, each]));
    return { live, isNewest: watch.told === told };
  };

  /** What has run out goes by what was live before: what began or ended while the ledger was asked waits for the next round. */
  const tellExpiredOf = async (userId: UserId, watch: Watch) => {
    const { live, isNewest } = await ask(userId, watch);
    if (!isNewest) return;
    const gone = [...watch.live.values()].filter(({ id }) => !live.has(id));
    watch.live = live;
    watch.isRead = true;
    const changes = gone.map((session) => ({ change: 'expired', session }) as const);
    if (changes.length > 0) tell(watch, changes);
  };

  const everyStream = () => [...watches.values()].flatMap(({ streams }) => [...streams]);

  const subscription = events.subscribe(onSnapshots, ({ userId }) => watches.has(userId));

  return {
    async open(session) {
      if (closed) throw shuttingDown();
      const { userId } = session;
      const watch = watches.get(userId) ?? {
        streams: new Set(),
        live: new Map(),
        isRead: false,
        told: 0,
      };
      if (watch.streams.size >= maxStreamsPerUser) throw tooManyStreams();
      const stream = eventStream((reason) => {
        if (reason === 'too_slow') tooSlow.inc();
        attachment[Symbol.dispose]();
        forget(userId, watch, stream);
      });
      const attachment = ledger.attach(session.id, (reason) => stream.end(reason));
      watches.set(userId, watch);
      watch.streams.add(stream);
      count++;
      try {
        // Read after attaching: an end before that was told to nobody here, and an end after it closes the stream.
        const { live, isNewest } = await ask(userId, watch);
        if (!live.has(session.id)) throw sessionEnded();
        if (isNewest && !watch.isRead) {
          watch.live = live;
          watch.isRead = true;
        }
        return stream;
      } catch (error) {
        stream.abandon();
        throw error;
      }
    },
    keepAlive() {
      for (const stream of everyStream()) stream.keepAlive();
    },
    async tellExpired() {
      for (const [userId, watch] of watches) await tellExpiredOf(userId, watch);
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
