import { type Clock, sleep } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Counter } from '../lib/metrics.ts';
import { type EventStreamName, encodeHeartbeat, type WireFields } from './event-wire.ts';
import type { StreamEntry } from './foreign-events.ts';
import { type Beat, type Heartbeats, reachedBoth } from './heartbeats.ts';
import {
  type Reached,
  type StreamProgress,
  type StreamState,
  type StreamTail,
  streamProgress,
} from './stream-progress.ts';

/** Which server it was, and whether it takes writes. */
export interface ServerIdentity {
  readonly runId: string;
  readonly replicationId: string;
  readonly role: string;
}

type OfBoth<T> = Readonly<Record<EventStreamName, T>>;

/** The two streams as one process has them. Everything rejects when they cannot be had. */
export interface EventSource {
  /** Resolves once they can be asked. */
  whenReady(signal: AbortSignal): Promise<void>;
  tails(): Promise<{ server: ServerIdentity; tails: OfBoth<StreamTail> }>;
  /** Waits a while for something new. */
  read(cursors: OfBoth<string>): Promise<StreamRead>;
  /** Connects anew: what is read and what is written may have come to lead to different servers. */
  renew(): void;
  beat(fields: WireFields): Promise<{ server: ServerIdentity; states: OfBoth<StreamState> }>;
}

export interface StreamRead {
  readonly entries: readonly StreamEntry[];
  /** Whether nothing of a stream was left unread. */
  readonly isDrained: OfBoth<boolean>;
}

/** Why reading has to begin anew. */
export type ResetReason = 'connection' | 'server' | 'events_lost';

export interface EventReaderDeps {
  source: EventSource;
  beats: Heartbeats;
  /** A random name of this process. */
  node: string;
  apply: (entries: readonly StreamEntry[]) => Promise<void> | undefined;
  /** What is in memory may be old from now on. */
  forget: () => void;
  /** What has to be done before memory is believed again. */
  catchUp: (signal: AbortSignal) => Promise<void>;
  /** The server from which every process of the database reads. */
  server: {
    /** Whether it is this one. */
    isAgreed(server: Pick<ServerIdentity, 'runId'>): boolean;
    /** Makes it this one, for all of them. */
    agree(server: Pick<ServerIdentity, 'runId'>): Promise<void>;
  };
  /** The instant until which everything was published, monotonic; `undefined`: too much was not. */
  publishedUntil: () => number | undefined;
  resets: (reason: ResetReason) => Counter;
  /** What went wrong, in words, without a secret. */
  describe: (error: unknown) => string;
  clock: Clock;
  log: Logger;
}

/** One stretch of reading without a gap. */
interface Stretch {
  readonly server: ServerIdentity;
  readonly progress: OfBoth<StreamProgress>;
  isCaughtUp: boolean;
  /** Reads begun. */
  round: number;
  /** The newest read that left nothing of a stream unread. */
  readonly drained: Record<EventStreamName, number>;
  /** Why it is over. */
  broken: ResetReason | undefined;
}

export interface EventReader {
  /** Resolves once reading has begun; rejects where it cannot at the first attempt. */
  readonly begun: Promise<void>;
  /** Sends a heartbeat; memory is believed again once it came back. Rejects when it cannot be sent. */
  beat(): Promise<void>;
  /** Resolves when reading has ended, after `signal` and the end of what was being read. */
  readonly ended: Promise<void>;
}

/** Between two attempts to begin: longer with each that fails. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Reads both streams from where they stand at its start. Whenever something may have been missed (another connection, another
 * server, entries that were added and not read) it forgets what is in memory and begins anew.
 */
export function eventReader(deps: EventReaderDeps, signal: AbortSignal): EventReader {
  const { source, beats, clock, log } = deps;
  const begun = Promise.withResolvers<void>();
  let stretch: Stretch | undefined;
  let sequence = 0;
  /** Attempts that failed, one after the other. */
  let failures = 0;

  /** The connection that is lost says nothing of what was read before: that is believed until its time is over. */
  const stop = (current: Stretch, reason: ResetReason) => {
    current.broken ??= reason;
    beats.reset();
  };

  /** After a failover both may answer: what others publish there is not heard here. */
  const leave = (current: Stretch) => {
    log.warn('another process reads events of sessions from another Redis server; it is looked for anew');
    stop(current, 'server');
  };

  const review = (current: Stretch) => {
    if (!current.isCaughtUp || current.broken !== undefined) return;
    const { sessions, devices } = current.progress;
    const { complete, isLost } = beats.review((beat) =>
      reachedBoth(reached(current, 'sessions', beat), reached(current, 'devices', beat)),
    );
    if (isLost) stop(current, 'events_lost');
    if (complete === undefined) return;
    sessions.forgetBefore(complete.sessions);
    devices.forgetBefore(complete.devices);
  };

  const begin = async (): Promise<Stretch> => {
    await source.whenReady(signal);
    const { server, tails } = await source.tails();
    if (!deps.server.isAgreed(server)) await deps.server.agree(server);
    // What was read before this, from any store, may be what a missed event was about.
    beats.reset();
    deps.forget();
    return {
      server,
      progress: { sessions: streamProgress(tails.sessions), devices: streamProgress(tails.devices) },
      isCaughtUp: false,
      round: 0,
      drained: { sessions: -1, devices: -1 },
      broken: undefined,
    };
  };

  const catchUp = async (current: Stretch) => {
    try {
      await deps.catchUp(signal);
      current.isCaughtUp = true;
      await beat();
    } catch (error) {
      if (!signal.aborted)
        log.warn('what ended while nothing was heard could not be looked up', {
          reason: deps.describe(error),
        });
      current.broken ??= 'connection';
    }
  };

  const follow = async (current: Stretch) => {
    const { sessions, devices } = current.progress;
    while (current.broken === undefined && !signal.aborted) {
      const round = ++current.round;
      const { entries, isDrained } = await source.read({
        sessions: sessions.cursor,
        devices: devices.cursor,
      });
      const room = deps.apply(entries);
      for (const { stream, id } of entries) current.progress[stream].advance(id);
      if (isDrained.sessions) current.drained.sessions = round;
      if (isDrained.devices) current.drained.devices = round;
      review(current);
      if (room !== undefined) await room;
    }
  };

  /** From one gap to the next. */
  const readOn = async () => {
    let reason: ResetReason = 'connection';
    let caughtUp: Promise<void> | undefined;
    try {
      stretch = await begin();
      begun.resolve();
      failures = 0;
      caughtUp = catchUp(stretch);
      await follow(stretch);
      reason = stretch.broken ?? reason;
    } catch (error) {
      begun.reject(error);
      if (++failures === 1 && !signal.aborted)
        log.warn('events of sessions cannot be read; it is tried again', { reason: deps.describe(error) });
    }
    stretch = undefined;
    if (!signal.aborted) deps.resets(reason).inc();
    if (!signal.aborted && reason === 'server') source.renew();
    await caughtUp;
  };

  const run = async () => {
    while (!signal.aborted) {
      await readOn();
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures, 10), LONGEST_PAUSE_MS);
      await sleep(clock, pauseMs, signal).catch(() => undefined);
    }
    begun.reject(signal.reason);
  };

  const beat = async (): Promise<void> => {
    const current = stretch;
    if (current?.isCaughtUp !== true) return;
    if (!deps.server.isAgreed(current.server)) return leave(current);
    const publishedUntil = deps.publishedUntil();
    const { server, states } = await source.beat(encodeHeartbeat(deps.node, ++sequence));
    if (current !== stretch || current.broken !== undefined) return;
    if (!isSame(server, current.server)) return stop(current, 'server');
    beats.sent({ publishedUntil, round: current.round, ...states });
    review(current);
  };

  begun.promise.catch(() => undefined);
  return { begun: begun.promise, beat, ended: run() };
}

/** What a read that began later has not found, and left nothing behind, is not there any more. */
function reached({ progress, drained }: Stretch, stream: EventStreamName, beat: Beat): Reached {
  const found = progress[stream].reached(beat[stream]);
  return found === 'behind' && drained[stream] > beat.round ? 'lost' : found;
}

/** A server that was started again, or a replica that took its place, may know less; one that is a replica now takes nothing. */
function isSame(one: ServerIdentity, other: ServerIdentity): boolean {
  return one.runId === other.runId && one.replicationId === other.replicationId && one.role === other.role;
}
