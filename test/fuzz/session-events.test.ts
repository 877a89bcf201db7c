import { afterAll, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { inChunks } from '../../src/lib/chunks.ts';
import { decodeEvent, type EventStreamName } from '../../src/sessions/event-wire.ts';
import { FUZZ_CASES } from '../support/fuzz-cases.ts';
import { startRedis } from '../support/redis-server.ts';
import { askNode, sessionNodes } from '../support/session-nodes.ts';
import { until } from '../support/until.ts';

const server = await startRedis();
afterAll(() => server[Symbol.asyncDispose]());

const KEY = Buffer.alloc(32, 7);
const NAMES = { sessions: 'postern:events', devices: 'postern:device-sessions' } as const;
const SENT_AT_ONCE = 500;
const SAMPLED_AT_ONCE = 1_000;
/** Real ends stand between so many hostile events. */
const REAL_ENDS = 40;

interface Hostile {
  stream: EventStreamName;
  fields: Buffer[];
}

/** Ids that must not come to harm, and those that are over. */
interface Known {
  kept: readonly string[];
  ended: readonly string[];
}

const binary = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const words = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom('', ' ', 'active', 'revoked', 'user', '0', '-1', '1e9'),
  )
  .map((text) => Buffer.from(text));
const huge = fc.integer({ min: 257, max: 100_000 }).map((length) => Buffer.alloc(length, 'x'));
const value = fc.oneof(
  { weight: 8, arbitrary: words },
  { weight: 4, arbitrary: binary },
  { weight: 1, arbitrary: huge },
);
const names = fc.constantFrom(
  'kind',
  'session_id',
  'device_session_id',
  'user_id',
  'client_public_key',
  'status',
  'revoked_at_ms',
  'node',
  'sequence',
);
const stream = fc.constantFrom<EventStreamName>('sessions', 'devices');
const unknownId = fc.stringMatching(/^ses_[a-z2-7]{26}$/);
const key = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  fc.constantFrom('', 'AAAA', KEY.toString('base64url')),
);

const flat = (fields: readonly (readonly [string, string])[]) =>
  fields.flat().map((text) => Buffer.from(text));

/** Events in the right format that say what is not so. An end may name only what is nowhere: that it may take away is known. */
function forged({ kept, ended }: Known): fc.Arbitrary<Hostile> {
  const anyId = fc.oneof(fc.constantFrom(...kept, ...ended), unknownId);
  const said = fc.oneof(
    fc.record({ id: anyId, status: fc.constant('active') }),
    fc.record({ id: fc.oneof(unknownId, fc.constantFrom(...ended)), status: fc.constant('revoked') }),
  );
  const userId = fc.constantFrom('usr_mallory', 'x', ' ');
  const kind = fc.constantFrom('user', 'grant', 'device');
  return fc.oneof(
    fc.tuple(said, userId, kind).map(
      ([{ id, status }, user, of]): Hostile => ({
        stream: 'sessions',
        fields: flat([
          ['kind', of],
          ['session_id', id],
          ['user_id', user],
          ['status', status],
        ]),
      }),
    ),
    fc.tuple(said, userId, key).map(
      ([{ id, status }, user, with_]): Hostile => ({
        stream: 'devices',
        fields: flat([
          ['device_session_id', id],
          ['user_id', user],
          ['client_public_key', with_],
          ['status', status],
        ]),
      }),
    ),
    fc.tuple(fc.string(), fc.nat()).map(
      ([node, sequence]): Hostile => ({
        stream: 'sessions',
        fields: flat([
          ['kind', 'heartbeat'],
          ['node', node],
          ['sequence', String(sequence)],
        ]),
      }),
    ),
  );
}

function hostile(known: Known): fc.Arbitrary<Hostile> {
  const right = forged(known);
  const noise = fc.record({
    stream,
    fields: fc
      .array(
        fc.tuple(
          fc.oneof(
            names.map((name) => Buffer.from(name)),
            value,
          ),
          value,
        ),
        { minLength: 1, maxLength: 7 },
      )
      .map((pairs) => pairs.flat()),
  });
  const doubled = fc.tuple(right, fc.nat()).map(([event, at]): Hostile => {
    const place = 2 * (at % (event.fields.length / 2));
    return { ...event, fields: [...event.fields, ...event.fields.slice(place, place + 2)] };
  });
  const shortened = fc.tuple(right, fc.nat()).map(([event, at]): Hostile => {
    const place = 2 * (at % (event.fields.length / 2));
    return { ...event, fields: event.fields.toSpliced(place, 2) };
  });
  const spoiled = fc.tuple(right, fc.nat(), value).map(([event, at, by]): Hostile => {
    const place = 2 * (at % (event.fields.length / 2)) + 1;
    return { ...event, fields: event.fields.with(place, by) };
  });
  return fc.oneof(right, noise, doubled, shortened, spoiled);
}

/** Whether a hostile event happens to be a real end of one that is to stay. */
function harms(event: Hostile, { kept }: Known): boolean {
  const decoded = decodeEvent(event.stream, event.fields.map(String));
  if (!decoded.ok || decoded.event.type !== 'session') return false;
  return decoded.event.status === 'revoked' && kept.includes(decoded.event.id);
}

test('hostile events stop nobody, are counted, and give nobody anything; those between them are applied', async () => {
  await using nodes = await sessionNodes(server, {
    // Nothing here is about a server that does not answer: whoever is kept busy by it all may be slow.
    redis: { stream_max_length: 10_000_000, heartbeat_timeout: 5_000, lookup_timeout: 30_000 },
  });
  const { first, second } = nodes;
  await until('both are trusted', () => first.isTrusted() && second.isTrusted());
  const userId = await first.addUser();
  const kept = await Promise.all(Array.from({ length: 5 }, () => first.signIn(userId)));
  const ended = await Promise.all(Array.from({ length: 5 }, () => first.signIn(userId)));
  const between = await Promise.all(Array.from({ length: REAL_ENDS }, () => first.signIn(userId)));
  const { session: device } = await first.db.write((tx) =>
    first.ledger.openDevice(tx, {
      userId,
      issuedBy: undefined,
      deviceId: 'dev_1',
      clientPublicKey: KEY.toString('base64url'),
      label: 'a device',
      origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
    }),
  );
  for (const { session } of ended) await first.ledger.end(session.id, { reason: 'signed_out' });
  for (const each of [...kept, ...between]) expect((await askNode(second, each)).ok).toBe(true);

  const known: Known = {
    kept: [...kept.map(({ session }) => session.id), device.id],
    ended: ended.map(({ session }) => session.id),
  };
  const seed = Math.trunc(Math.random() * 2 ** 31);
  console.log(`session events: seed ${seed}`);
  const events: Hostile[] = [];
  // Piece by piece: a process that does nothing else for seconds takes its own connections for dead.
  for (let made = 0; made < FUZZ_CASES; made += SAMPLED_AT_ONCE) {
    const numRuns = Math.min(SAMPLED_AT_ONCE, FUZZ_CASES - made);
    const sample = fc.sample(hostile(known), { seed: seed + made, numRuns });
    events.push(...sample.filter((event) => !harms(event, known)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const malformed = events.filter((event) => !decodeEvent(event.stream, event.fields.map(String)).ok).length;
  const chunks = inChunks(events, SENT_AT_ONCE);
  const everyChunk = Math.max(1, Math.floor(chunks.length / REAL_ENDS));
  for (const [index, chunk] of chunks.entries()) {
    const pipeline = server.client().pipeline();
    for (const each of chunk) pipeline.xadd(NAMES[each.stream], '*', ...each.fields);
    await pipeline.exec();
    const real = index % everyChunk === 0 ? between[index / everyChunk] : undefined;
    if (real !== undefined) await first.ledger.end(real.session.id, { reason: 'signed_out' });
  }

  const counted = () =>
    ['events_stream', 'device_events_stream']
      .map((component) =>
        second.figure(
          `postern_session_events_dropped_total{component="${component}",reason="malformed_event"}`,
        ),
      )
      .reduce((sum, each) => sum + each, 0);
  // As long as it comes forward it may take its time: a busy machine reads a hundred thousand of them in half a minute.
  while (counted() < malformed) {
    const before = counted();
    await until('more of them are counted', () => counted() > before);
  }
  expect(counted()).toBe(malformed);
  const isReal = (_: unknown, index: number) => index < Math.ceil(chunks.length / everyChunk);
  for (const each of between.filter(isReal))
    await until('the real ends are applied', async () => !(await askNode(second, each)).ok);
  for (const each of kept)
    expect(await askNode(second, each)).toMatchObject({ ok: true, user: { id: userId, role: 'member' } });
  for (const each of ended) expect((await askNode(second, each)).ok).toBe(false);
  expect(await second.ledger.recogniseDevice(device.id)).toMatchObject({
    ok: true,
    publicKey: KEY.toString('base64url'),
    user: { id: userId },
  });
  await until('it is trusted', () => second.isTrusted() && first.isTrusted());
  expect(second.figure('postern_session_events_resets_total{reason="events_lost"}')).toBe(0);
}, 240_000);
