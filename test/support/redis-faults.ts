import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DecisionLog } from './decision-log.ts';
import { FAULTS as LINE_FAULTS, type Fault as LineFault } from './fault-proxy.ts';
import type { SeededRandom } from './random.ts';
import type { RedisFaultSite } from './redis-fault-site.ts';

/** What it takes to make something go wrong. */
export interface FaultContext {
  readonly site: RedisFaultSite;
  readonly random: SeededRandom;
  readonly log: DecisionLog;
  /** How long faults last that pass, in milliseconds. */
  readonly lastsMs: readonly [from: number, to: number];
}

/** Resolves once it is over; what it did to memory of Redis stands in the log. */
export type RedisFault = (context: FaultContext) => Promise<void>;

const EVENT_STREAMS = ['postern:events', 'postern:device-sessions'];
/** An id that the clock reaches in the year 2286: a stream that was at it has gone back when it begins anew. */
const FAR_ID = '9999999999999-1';
/** Redis takes no port that nobody may listen at; nobody listens at this one. */
const NOWHERE_PORT = '1';

const lineFaults = Object.fromEntries(
  LINE_FAULTS.map((fault) => [`line_${fault}`, onLines(fault)] as const),
) as Record<`line_${LineFault}`, RedisFault>;

export const REDIS_FAULTS = {
  ...lineFaults,
  /** `kill -9` with `appendonly no`: everything is gone. */
  kill: (context) => killed(context, { keepsDump: false }),
  /** The same, and what comes back is what stood in the last dump, as with Debian's `save` points. */
  kill_to_dump: (context) => killed(context, { keepsDump: true }),
  async freeze({ site, ...context }) {
    site.redis.primary.pause();
    await passing(context);
    site.redis.primary.resume();
  },
  /** The primary goes away, and the standby that takes over has not heard of the last moments. */
  failover: (context) => failedOver(context, 'cut'),
  /** The same, where nobody hangs up on those who are still connected to the old one. */
  failover_uncut: (context) => failedOver(context, 'left'),
  async trim({ site, random }) {
    for (const stream of EVENT_STREAMS)
      await site.redis.primary.client().xtrim(stream, 'MAXLEN', random.below(3));
  },
  async streams_gone({ site }) {
    await site.redis.primary.client().del(...EVENT_STREAMS);
  },
  /** Streams that were far ahead begin anew: every cursor is above their last id. */
  async streams_rewound({ site, ...context }) {
    const client = site.redis.primary.client();
    for (const stream of EVENT_STREAMS) await client.xadd(stream, FAR_ID, 'nonsense', 'x');
    await passing(context);
    await client.del(...EVENT_STREAMS);
  },
  async flush({ site, log }) {
    const over = log.losing('flush');
    await site.redis.primary.client().flushall();
    over();
  },
  /** Keys go as they come, streams among them: a policy that Postern warns of. */
  async evict({ site, log, ...context }) {
    const client = site.redis.primary.client();
    const over = log.losing('evict');
    await client.config('SET', 'maxmemory-policy', 'allkeys-random');
    await client.config('SET', 'maxmemory', '1');
    await passing(context);
    await client.config('SET', 'maxmemory', '0');
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    over();
  },
  async out_of_memory({ site, ...context }) {
    const client = site.redis.primary.client();
    await client.config('SET', 'maxmemory', '1');
    await passing(context);
    await client.config('SET', 'maxmemory', '0');
  },
  async hang_up({ site, random }) {
    const client = site.redis.primary.client();
    for (let times = random.between(1, 3); times > 0; times--) {
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await Bun.sleep(random.below(200));
    }
  },
  /** It reads and does not write, as a primary that was demoted. */
  async read_only({ site, ...context }) {
    const client = site.redis.primary.client();
    await client.replicaof('127.0.0.1', NOWHERE_PORT);
    await passing(context);
    await client.replicaof('NO', 'ONE');
  },
  async writes_paused({ site, random, lastsMs }) {
    const ms = random.between(...lastsMs);
    await site.redis.primary.client().call('CLIENT', 'PAUSE', ms, random.pick(['WRITE', 'ALL']));
    await Bun.sleep(ms);
  },
  /** Not Redis: a node dies with what it had not told yet. */
  async node_killed({ site, random }) {
    const node = random.pick(site.nodes);
    await node.kill();
    await Bun.sleep(random.below(500));
    await node.start();
  },
} satisfies Record<string, RedisFault> as Record<string, RedisFault>;

async function passing({ random, lastsMs }: Pick<FaultContext, 'random' | 'lastsMs'>): Promise<void> {
  await Bun.sleep(random.between(...lastsMs));
}

/** The line of one node, or the lines of all: only then does nobody hear anything. */
function onLines(fault: LineFault): RedisFault {
  return async ({ site: { nodes }, random }) => {
    const struck = random.below(2) === 0 ? nodes : [random.pick(nodes)];
    await Promise.all(struck.map(({ line }) => line.inject(fault, random)));
  };
}

async function killed(
  { site, log, ...context }: FaultContext,
  { keepsDump }: { keepsDump: boolean },
): Promise<void> {
  const { primary } = site.redis;
  if (keepsDump) {
    await primary.client().save();
    await passing(context);
  } else {
    rmSync(join(primary.directory, 'keys', 'dump.rdb'), { force: true });
  }
  const over = log.losing(keepsDump ? 'kill_to_dump' : 'kill');
  await primary.kill9();
  await Bun.sleep(context.random.below(800));
  await primary.restart();
  over();
}

async function failedOver({ site, log, ...context }: FaultContext, lines: 'cut' | 'left'): Promise<void> {
  let over: () => void = () => undefined;
  await site.redis.failOver(
    () => passing(context),
    () => {
      over = log.losing('failover');
      if (lines === 'cut') for (const { line } of site.nodes) void line.inject('cut', context.random);
    },
  );
  // Who is still connected to the old one is told by it that it only reads.
  await site.redis.inStep();
  over();
}
