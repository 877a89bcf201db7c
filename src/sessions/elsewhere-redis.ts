import type { RedisConfig } from '../config/schema.ts';
import { AppError } from '../lib/app-error.ts';
import { type Clock, withDeadline } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import type { Logger } from '../lib/log.ts';
import { startLoop } from '../lib/loop.ts';
import type { Metrics } from '../lib/metrics.ts';
import { newSecret } from '../lib/random.ts';
import { redisReason } from '../redis/errors.ts';
import type { RedisConnections } from '../redis/open.ts';
import { committedChanges } from './committed-changes.ts';
import type { Elsewhere, HereParts, OpenElsewhere } from './elsewhere.ts';
import { eventCarrier } from './event-carrier.ts';
import { type EventReaderDeps, type EventSource, eventReader } from './event-reader.ts';
import { eventStreamsRedis } from './event-streams-redis.ts';
import { foreignEvents } from './foreign-events.ts';
import { heartbeats } from './heartbeats.ts';
import { elsewhereMetrics } from './metrics.ts';
import { ownEvents } from './own-events.ts';
import { publication } from './publication.ts';

/** A shutdown waits for us no longer. */
const MAX_CLOSING_MS = 1_000;

export interface RedisElsewhereDeps {
  redis: RedisConnections;
  config: RedisConfig;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
}

/**
 * Tells the other processes of our sessions, and hears of theirs, through Redis streams: on a connection of its own, because
 * reading waits. @throws CommandError as `openRedis`.
 */
export async function elsewhereOverRedis(deps: RedisElsewhereDeps): Promise<OpenElsewhere> {
  const reader = await deps.redis.connectReader();
  return (here) => open(here, deps, reader);
}

type Reader = Awaited<ReturnType<RedisConnections['connectReader']>>;

function open(
  here: HereParts,
  { redis, config, clock, log, metrics }: RedisElsewhereDeps,
  connection: Reader,
): Elsewhere {
  const ending = new AbortController();
  const streams = eventStreamsRedis({
    names: { sessions: config.events_stream, devices: config.device_events_stream },
    maxLength: config.stream_max_length,
    blockMs: config.read_block_timeout,
  });
  const source: EventSource = {
    whenReady: (signal) => connection.whenReady(signal),
    tails: () => streams.tails(connection.client),
    read: (cursors) => streams.read(connection.client, cursors),
    renew() {
      connection.renew();
      redis.connection.renew();
    },
    beat: (fields) => streams.beat(redis.commands, fields),
  };
  const server: EventReaderDeps['server'] = {
    isAgreed: ({ runId }) => here.eventServer.find() === runId,
    agree: ({ runId }) => here.eventServer.put(runId),
  };
  const own = ownEvents();
  const beats = heartbeats(config.heartbeat_timeout);
  const observed = elsewhereMetrics(metrics, () => clock.monotonicNow() < beats.until);
  /** Said once for each outage. */
  let isHeldUp = false;
  const carrier = eventCarrier({
    here,
    own,
    async publish(events) {
      if (!server.isAgreed(redis.connection.server)) throw readElsewhere();
      return streams.publish(redis.commands, events);
    },
    clock,
    onFailure(error) {
      if (!isHeldUp)
        log.warn('events of sessions could not be published; they wait', { reason: reasonOf(error) });
      isHeldUp = true;
    },
    published: observed.published,
  });
  const foreign = foreignEvents({ here, own, dropped: observed.dropped, clock, log });
  const forget = () => {
    own.clear();
    here.cache.clear();
  };
  const applyCommitted = committedChanges({ here, clock });
  const publishedUntil = publication(here.outbox, config.outbox_timeout, clock);
  const reader = eventReader(
    {
      source,
      beats,
      node: newSecret(),
      apply: (entries) => foreign.apply(entries),
      forget,
      async catchUp(signal) {
        await here.catchUp(signal);
        carrier.retry();
      },
      server,
      publishedUntil() {
        applyCommitted();
        return publishedUntil();
      },
      resets: observed.resets,
      describe: reasonOf,
      clock,
      log,
    },
    ending.signal,
  );

  let wasTrusted = false;
  const beat = async () => {
    try {
      await reader.beat();
      isHeldUp = false;
      carrier.retry();
    } catch (error) {
      log.debug('a heartbeat could not be sent', { reason: reasonOf(error) });
    }
    const isTrusted = clock.monotonicNow() < beats.until;
    if (wasTrusted && !isTrusted) log.warn('what is in memory of sessions is not believed for now');
    if (!wasTrusted && isTrusted) log.info('what is in memory of sessions is believed');
    wasTrusted = isTrusted;
  };
  const loop = startLoop({
    name: 'heartbeat',
    everyMs: config.heartbeat_interval,
    clock,
    log,
    run: beat,
  });

  const close = async () => {
    ending.abort(new Error('the appliance is shutting down'));
    // Nothing else ends a read that waits.
    connection[Symbol.dispose]();
    const underWay = Promise.all([
      loop[Symbol.asyncDispose](),
      reader.ended,
      carrier.settled(),
      foreign.settled(),
    ]);
    // What a Redis that stalls keeps waiting is in the outbox, and told by somebody else.
    const late = () => new Error('Redis does not answer');
    await withDeadline(clock, MAX_CLOSING_MS, underWay, late).catch((error: unknown) =>
      log.warn('not everything that was under way to other processes ended', { error }),
    );
  };
  const ready = reader.begun.catch((error: unknown) => {
    throw new CommandError(`Redis at ${redis.target} cannot be used: ${redisReason(error)}`);
  });
  // Whoever waits for it hears of it.
  ready.catch(() => undefined);
  let closing: Promise<void> | undefined;
  return {
    carrier,
    trust: beats,
    announce: (snapshots) => carrier.announce(snapshots.map(({ session }) => session)),
    sweep: async () => carrier.sweep(),
    ready,
    [Symbol.asyncDispose]() {
      closing ??= close();
      return closing;
    },
  };
}

/** What the store threw holds the reason already. */
function reasonOf(error: unknown): string {
  if (error instanceof AppError && error.cause instanceof Error) return error.cause.message;
  return redisReason(error);
}

/** Nobody would hear it there. */
const readElsewhere = () =>
  new AppError('unavailable', 'store_unavailable', 'Events of sessions cannot be published right now.', {
    cause: new Error('it is another Redis server than the one that is read from'),
  });
