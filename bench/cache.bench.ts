import { heapStats } from 'bun:jsc';
import { LRUCache } from 'lru-cache';
import { systemClock } from '../src/lib/clock.ts';
import { type SessionCache, sessionCache } from '../src/sessions/cache.ts';
import type { FoundCredential, TokenHash } from '../src/sessions/model.ts';
import type { Benchmark } from './support/figures.ts';
import { madeUpCredential } from './support/made-up-sessions.ts';
import { interleave, operationsPerSecond } from './support/rounds.ts';
import { median } from './support/statistics.ts';

const CAPACITY = 50_000;
const BATCH = 20_000;
const ROUND_MS = 150;
const ROUNDS = 9;
/** Sessions that a busy page keeps asking for. */
const HOT_KEYS = 16;

type BareCache = LRUCache<TokenHash, FoundCredential>;

/** What both caches have to do with one key. */
interface Contenders {
  ours: (found: FoundCredential) => void;
  bare: (found: FoundCredential) => void;
}

async function cacheFigures(progress: (line: string) => void) {
  const bytes = bytesPerEntry();
  const everything = Array.from({ length: 2 * CAPACITY }, (_, index) => madeUpCredential(index));
  const fitting = everything.slice(0, CAPACITY);
  const [ours, bare] = [newCache(), new LRUCache<TokenHash, FoundCredential>({ max: CAPACITY })];
  for (const found of fitting) asking(ours, bare).bare(found);
  for (const found of fitting) asking(ours, bare).ours(found);
  const ratio = async (name: string, keys: readonly FoundCredential[]) => {
    progress(`${name}: ${keys.length.toLocaleString('en')} keys, ${ROUNDS} rounds`);
    return ratioOver(drawn(keys), asking(ours, bare));
  };
  return {
    hot: {
      value: await ratio('hot', fitting.slice(0, HOT_KEYS)),
      target: { atLeast: 0.25 },
      meaning: `hits/s over bare lru-cache, ${HOT_KEYS} keys`,
    },
    uniform: {
      value: await ratio('uniform', fitting),
      target: { atLeast: 0.4 },
      meaning: `hits/s over bare lru-cache, uniform over the ${CAPACITY.toLocaleString('en')} it holds`,
    },
    evict: {
      value: await ratioOver(cycling(everything), asking(ours, bare)),
      target: { atLeast: 0.3 },
      meaning: 'misses/s over bare lru-cache, each keeping one entry and pushing one out',
    },
    bytes_per_entry: { value: bytes, meaning: 'heap per cached session, with its person and credential' },
  };
}

/** Asks a cache for a credential and, where it is not there, has it looked up (a new object each time) and kept. */
function asking(ours: SessionCache, bare: BareCache): Contenders {
  return {
    ours(found) {
      const { hash } = found.credential;
      if (ours.get(hash) !== undefined) return;
      void ours.load(hash, () => copyOf(found), nothing);
    },
    bare(found) {
      const { hash } = found.credential;
      if (bare.get(hash) === undefined) bare.set(hash, copyOf(found));
    },
  };
}

async function ratioOver(
  batch: () => readonly FoundCredential[],
  { ours, bare }: Contenders,
): Promise<number> {
  const speed = (ask: (found: FoundCredential) => void) => () =>
    operationsPerSecond(BATCH, ROUND_MS, () => {
      for (const found of batch()) ask(found);
    });
  const rounds = await interleave({ ours: speed(ours), bare: speed(bare) }, ROUNDS);
  return median(rounds.map((round) => round.ours / round.bare));
}

const copyOf = ({ credential, session, user }: FoundCredential): FoundCredential => ({
  credential: { ...credential },
  session: { ...session },
  user: { ...user },
});

/** The same batch of keys, drawn uniformly once: both caches see the same ones. */
function drawn(keys: readonly FoundCredential[]): () => readonly FoundCredential[] {
  const batch = Array.from({ length: BATCH }, () => keys[Math.floor(Math.random() * keys.length)]).filter(
    (found) => found !== undefined,
  );
  return () => batch;
}

/** One batch after another, round and round: with twice as many keys as fit, each is gone when it comes again. */
function cycling(keys: readonly FoundCredential[]): () => readonly FoundCredential[] {
  let at = 0;
  return () => {
    const batch = keys.slice(at, at + BATCH);
    at = (at + BATCH) % keys.length;
    return batch;
  };
}

const nothing = () => undefined;

function bytesPerEntry(): number {
  const before = heapBytes();
  const cache = newCache();
  for (let index = 0; index < CAPACITY; index++) {
    const found = madeUpCredential(index);
    void cache.load(found.credential.hash, () => found, nothing);
  }
  const after = heapBytes();
  return Math.round((after - before) / cache.size);
}

function heapBytes(): number {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
}

function newCache(): SessionCache {
  return sessionCache({
    size: CAPACITY,
    ttlMs: 600_000,
    unknownSize: 10_000,
    unknownTtlMs: 5_000,
    clock: systemClock,
  });
}

export const benchmark: Benchmark = { title: 'the session cache against bare lru-cache', run: cacheFigures };
