import { describe, expect, test } from 'bun:test';
import { LoggedStream, parseEventId } from '../../../src/mcp/logged-stream.ts';
import { EventReader } from '../../support/mcp-client.ts';

const message = (number: number) => ({ jsonrpc: '2.0', method: 'notifications/x', params: { number } });
const read = (body: ReadableStream) => new EventReader(new Response(body)).rest();

describe('a stream with a log', () => {
  test('gives a late reader what it missed, and no more', async () => {
    const stream = new LoggedStream('s1', 7, () => 0);
    for (let number = 1; number <= 5; number++) stream.send(message(number));
    stream.end();
    expect(await read(stream.open({ after: 3, primed: false }))).toEqual([message(4), message(5)]);
    expect(await read(stream.open({ after: 5, primed: true }))).toEqual([]);
    expect(await read(stream.open({ after: 99, primed: false }))).toEqual([]);
  });

  test('keeps the newest of too many events', async () => {
    const stream = new LoggedStream('s1', 7, () => 0);
    for (let number = 1; number <= 300; number++) stream.send(message(number));
    stream.end();
    const missed = await read(stream.open({ after: 0, primed: false }));
    expect(missed).toHaveLength(256);
    expect(missed.at(-1)).toEqual(message(300));
  });

  test('keeps the result however large it is, and little beside it', async () => {
    const stream = new LoggedStream('s1', 7, () => 0);
    stream.send(message(1));
    const large = { jsonrpc: '2.0', id: 7, result: { text: 'x'.repeat(500_000) } };
    stream.send(large);
    stream.end();
    expect(await read(stream.open({ after: 0, primed: false }))).toEqual([large]);
  });

  test('lets a reader go that does not read, and knows since when', () => {
    let now = 5;
    const stream = new LoggedStream('s1', 7, () => now);
    stream.open({ after: 0, primed: false });
    expect(stream.unreadSince).toBeUndefined();
    now = 9;
    const text = 'x'.repeat(400_000);
    const carried = [1, 2, 3, 4].map(() => stream.send({ text }));
    expect(carried).toEqual([true, true, true, false]);
    expect(stream.unreadSince).toBe(9);
  });

  test('says nothing after its end', async () => {
    const stream = new LoggedStream('s1', 7, () => 0);
    stream.end();
    expect(stream.send(message(1))).toBe(false);
    expect(await read(stream.open({ after: 0, primed: false }))).toEqual([]);
  });
});

describe('ids of events', () => {
  test.each([7, 'a "quoted" id', '仕事', -1, 0.5])('name the request %p', async (id) => {
    const stream = new LoggedStream('s1', id, () => 0);
    stream.send(message(1));
    stream.end();
    const reader = new EventReader(new Response(stream.open({ after: 0, primed: false })));
    await reader.rest();
    expect(parseEventId(reader.lastId ?? '')).toEqual({ key: 's1', number: 1, requestId: id });
  });

  test('leave out an id that is very long', async () => {
    const stream = new LoggedStream('s1', 'x'.repeat(200), () => 0);
    const reader = new EventReader(new Response(stream.open({ after: 0, primed: true })));
    stream.end();
    await reader.rest();
    expect(parseEventId(reader.lastId ?? '')).toEqual({ key: 's1', number: 0, requestId: undefined });
  });

  test.each(['', 's1', 's1.1', 'S1.1.', 's1.-1.', 's1.1.%', 's1.1.bm90IGpzb24', `${'s'.repeat(40)}.1.`])(
    'that are not ours (%s) name nothing',
    (text) => {
      expect(parseEventId(text)?.requestId).toBeUndefined();
    },
  );
});
