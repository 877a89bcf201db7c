import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { CacheModel, type Hash, type Step, TTL_MS, UNKNOWN_TTL_MS } from '../../support/cache-model.ts';

/** Steps that belong together. */
type Move = readonly Step[];

const lookUp = (hash: Hash): Move => [{ do: 'look up', hash }];
const answer = (read: number, stale = true): Move => [{ do: 'answer', read, stale }];
const advance = (ms: number): Move => [{ do: 'advance', ms }];
const settle: Move = [{ do: 'settle' }];
const change: Move = [{ do: 'change', id: 'a' }];
const revoke: Move = [{ do: 'revoke', id: 'a' }];

/** One session has two credentials, and there is room for one session. */
const BESIDE: readonly Move[] = [
  lookUp('a1'),
  lookUp('a2'),
  lookUp('c1'),
  answer(0),
  answer(1),
  [{ do: 'fail', read: 0 }],
  revoke,
  change,
  settle,
];

const ABSENT: readonly Move[] = [
  lookUp('a1'),
  lookUp('later'),
  answer(0),
  answer(0, false),
  [{ do: 'create' }],
  [{ do: 'clear' }],
  [{ do: 'change user', user: 'ada' }],
  [{ do: 'revoke all', user: 'ada' }],
  advance(TTL_MS / 2),
  settle,
];

const AGE: readonly Move[] = [
  lookUp('a1'),
  lookUp('a2'),
  [...answer(0), ...settle],
  [...answer(1), ...settle],
  advance(TTL_MS / 2),
];

/** A look-up that is spoiled again and again. */
const SPOILED: readonly Move[] = [lookUp('a1'), revoke, [...change, ...answer(0), ...settle], settle];

const nth = fc.nat({ max: 5 });
const id = fc.constantFrom('a', 'b', 'c', 'd');
const user = fc.constantFrom('ada', 'bob');
const hash = fc.constantFrom('a1', 'a2', 'b1', 'c1', 'later', 'nobody');
const always = <T>(value: T) => fc.constant(value);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: always('look up' as const), hash }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: always('answer' as const), read: nth, stale: fc.boolean() }),
  },
  { weight: 6, arbitrary: fc.record({ do: always('settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: always('fail' as const), read: nth }) },
  { weight: 1, arbitrary: fc.record({ do: always('revoke' as const), id }) },
  { weight: 1, arbitrary: fc.record({ do: always('revoke all' as const), user }) },
  { weight: 2, arbitrary: fc.record({ do: always('change' as const), id }) },
  { weight: 1, arbitrary: fc.record({ do: always('change user' as const), user }) },
  { weight: 1, arbitrary: fc.record({ do: always('create' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: always('clear' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: always('advance' as const),
      ms: fc.constantFrom(1, UNKNOWN_TTL_MS, TTL_MS / 3, TTL_MS - 1, TTL_MS),
    }),
  },
);

async function play(size: number, steps: readonly Step[]): Promise<void> {
  const model = new CacheModel(size);
  for (const each of steps) await model.run(each);
  await model.finish();
}

/** Plays every sequence of `length` moves, but for those in which a read is answered that nobody began. */
async function playEvery(size: number, moves: readonly Move[], length: number): Promise<number> {
  let played = 0;
  const extend = async (before: readonly Move[], open: number): Promise<void> => {
    if (before.length === length) {
      played++;
      return play(size, before.flat()).catch((error: unknown) => {
        throw new Error(`after ${JSON.stringify(before.flat())}`, { cause: error });
      });
    }
    for (const next of moves) {
      const needed = Math.max(...next.map((each) => ('read' in each ? each.read + 1 : 0)));
      if (needed > open || (next === settle && before.at(-1) === settle)) continue;
      await extend([...before, next], open + (next[0]?.do === 'look up' ? 1 : 0));
    }
  };
  await extend([], 0);
  return played;
}

test.each([
  ['revocations, evictions and outages beside look-ups', BESIDE, 5],
  ['time, absence and whole users beside look-ups', ABSENT, 5],
  ['look-ups of one session that take their time', AGE, 7],
  ['a look-up that is spoiled again and again', SPOILED, 7],
] as const)(
  'the cache keeps its promises through every order of %s',
  async (_what, moves, length) => {
    expect(await playEvery(1, moves, length)).toBeGreaterThan(1_000);
  },
  20_000,
);

test('the cache keeps its promises through long random histories', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(step, { minLength: 20, maxLength: 80 }), play),
    {
      numRuns: 2_000,
    },
  );
});

test('no number of unknown credentials pushes a live session out', async () => {
  const model = new CacheModel(1);
  await model.run({ do: 'look up', hash: 'a1' });
  await model.run({ do: 'answer', read: 0, stale: false });
  for (let round = 0; round < 1_000; round++) {
    await model.run({ do: 'look up', hash: 'nobody' });
    await model.run({ do: 'answer', read: 0, stale: false });
    await model.run({ do: 'settle' });
    await model.run({ do: 'advance', ms: round % 7 === 0 ? UNKNOWN_TTL_MS : 0 });
  }
  await model.finish();
});
