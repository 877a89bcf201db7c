import type { ChainableCommander, Redis } from 'ioredis';
import { inChunks } from '../lib/chunks.ts';
import { parseServerInfo } from '../redis/info.ts';
import type { OutgoingEvent } from './event-carrier.ts';
import type { ServerIdentity, StreamRead } from './event-reader.ts';
import type { EventStreamName, WireFields } from './event-wire.ts';
import type { StreamEntry } from './foreign-events.ts';
import { EMPTY_STREAM, type StreamState, type StreamTail } from './stream-progress.ts';

export type StreamStates = Readonly<Record<EventStreamName, StreamState>>;
export type StreamTails = Readonly<Record<EventStreamName, StreamTail>>;

export interface EventStreamsOptions {
  names: Readonly<Record<EventStreamName, string>>;
  /** Entries that a stream keeps, roughly. */
  maxLength: number;
  /** How long a read waits for something new. */
  blockMs: number;
}

/** Entries of one read, of each stream. */
const READ_ENTRIES = 128;
/** Commands sent in one go. */
const PUBLISHED_AT_ONCE = 500;

/** The two streams of session events, as Redis has them. Everything rejects with what the client says. */
export function eventStreamsRedis({ names, maxLength, blockMs }: EventStreamsOptions) {
  const add = (to: ChainableCommander, stream: EventStreamName, fields: WireFields) =>
    to.xadd(names[stream], 'MAXLEN', '~', maxLength, '*', ...fields);

  return {
    /** Adds them in their order; says of each whether Redis has it for sure. */
    async publish(redis: Redis, events: readonly OutgoingEvent[]): Promise<boolean[]> {
      const taken: boolean[] = [];
      for (const chunk of inChunks(events, PUBLISHED_AT_ONCE)) {
        const pipeline = redis.pipeline();
        for (const { stream, fields } of chunk) add(pipeline, stream, fields);
        const replies = (await pipeline.exec()) ?? [];
        taken.push(...chunk.map((_, index) => replies[index]?.[0] === null));
      }
      return taken;
    },

    /** Adds a heartbeat, and says what the streams were with it. */
    async beat(redis: Redis, fields: WireFields): Promise<{ server: ServerIdentity; states: StreamStates }> {
      const [added, sessions, devices, server, replication] = await transaction(
        askBoth(add(redis.multi(), 'sessions', fields), names)
          .info('server')
          .info('replication'),
      );
      if (added?.error) throw added.error;
      return {
        server: identityOf(server, replication),
        states: { sessions: stateOf(sessions), devices: stateOf(devices) },
      };
    },

    /** The newest entry of each, and the server: what comes later is what to read. */
    async tails(redis: Redis): Promise<{ server: ServerIdentity; tails: StreamTails }> {
      const asked = redis.multi();
      for (const name of [names.sessions, names.devices]) asked.xrevrange(name, '+', '-', 'COUNT', 1);
      const [newest, newestOfDevices, sessions, devices, server, replication] = await transaction(
        askBoth(asked, names).info('server').info('replication'),
      );
      return {
        server: identityOf(server, replication),
        tails: {
          sessions: { ...stateOf(sessions), cursor: idOfFirst(newest) },
          devices: { ...stateOf(devices), cursor: idOfFirst(newestOfDevices) },
        },
      };
    },

    /** What stands behind the cursors, as soon as there is something; empty when there was nothing for a while. */
    async read(
      redis: Redis,
      { sessions, devices }: Readonly<Record<EventStreamName, string>>,
    ): Promise<StreamRead> {
      const found = await redis.xread(
        'COUNT',
        READ_ENTRIES,
        'BLOCK',
        blockMs,
        'STREAMS',
        names.sessions,
        names.devices,
        sessions,
        devices,
      );
      const of = (stream: EventStreamName): StreamEntry[] =>
        (found ?? [])
          .filter(([name]) => name === names[stream])
          .flatMap(([, entries]) => entries.map(([id, fields]) => ({ stream, id, fields })));
      const both = { sessions: of('sessions'), devices: of('devices') };
      return {
        entries: [...both.sessions, ...both.devices],
        isDrained: {
          sessions: both.sessions.length < READ_ENTRIES,
          devices: both.devices.length < READ_ENTRIES,
        },
      };
    },
  };
}

interface Reply {
  readonly error: Error | null;
  readonly value: unknown;
}

const askBoth = (to: ChainableCommander, names: EventStreamsOptions['names']) =>
  to.xinfo('STREAM', names.sessions).xinfo('STREAM', names.devices);

async function transaction(asked: ChainableCommander): Promise<Reply[]> {
  const replies = await asked.exec();
  if (replies === null) throw new Error('the transaction was not run');
  return replies.map(([error, value]) => ({ error, value }));
}

/** A stream that nothing was added to yet is an error to Redis. */
function stateOf(reply: Reply | undefined): StreamState {
  if (reply?.error?.message.includes('no such key')) return EMPTY_STREAM;
  if (reply?.error) throw reply.error;
  const fields = new Map(pairs(reply?.value));
  const last = fields.get('last-generated-id');
  const added = fields.get('entries-added');
  if (typeof last === 'string' && typeof added === 'number') return { last, added };
  throw new Error('Redis does not say how many entries were added to a stream; it has to be 7.0 or newer');
}

function idOfFirst(reply: Reply | undefined): string {
  if (reply?.error) throw reply.error;
  const [first] = Array.isArray(reply?.value) ? (reply.value as unknown[]) : [];
  const id: unknown = Array.isArray(first) ? first[0] : undefined;
  return typeof id === 'string' ? id : EMPTY_STREAM.cursor;
}

function pairs(flat: unknown): [unknown, unknown][] {
  if (!Array.isArray(flat)) return [];
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index], flat[2 * index + 1]]);
}

/** Of the sections of `INFO` that say who it is. */
function identityOf(...sections: readonly (Reply | undefined)[]): ServerIdentity {
  const failed = sections.find((section) => section?.error);
  if (failed?.error) throw failed.error;
  return parseServerInfo(sections.map((section) => String(section?.value)).join('\r\n'));
}
