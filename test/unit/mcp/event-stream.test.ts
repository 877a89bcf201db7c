import { describe, expect, test } from 'bun:test';
import { EventTooLong, readEvents, type StreamEvent } from '../../../src/mcp/event-stream.ts';

const body = (...chunks: (string | Uint8Array)[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) {
        controller.enqueue(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk);
      }
      controller.close();
    },
  });

async function eventsOf(stream: ReadableStream<Uint8Array>, maxLength = 1_000): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of readEvents(stream, maxLength)) events.push(event);
  return events;
}

const message = (data: string, id?: string): StreamEvent => ({ id, type: 'message', data });

describe('events', () => {
  test.each([
    ['one', ['data: a\n\n'], [message('a')]],
    ['with an id and a type', ['id: 7\nevent: ping\ndata: a\n\n'], [{ id: '7', type: 'ping', data: 'a' }]],
    ['of several lines', ['data: a\ndata: b\n\n'], [message('a\nb')]],
    ['without a space', ['data:a\n\n'], [message('a')]],
    ['with two spaces', ['data:  a\n\n'], [message(' a')]],
    ['with other line ends', ['data: a\r\n\r\ndata: b\r\r'], [message('a'), message('b')]],
    ['cut anywhere', ['da', 'ta: a\r', '\n\r\ndata', ': b\n', '\n'], [message('a'), message('b')]],
    ['with comments', [': hello\n\ndata: a\n: more\n\n'], [message('a')]],
    ['with unknown fields', ['foo: 1\nretry: 5\ndata: a\n\n'], [message('a')]],
    ['that is not finished', ['data: a\n\ndata: b\n'], [message('a')]],
    ['without data', ['id: 3\n\n'], [message('', '3')]],
    ['whose id holds NUL', ['id: a\0b\ndata: a\n\n'], [message('a')]],
  ])('%s', async (_what, chunks, expected) => {
    expect(await eventsOf(body(...chunks))).toEqual(expected);
  });

  test('a character that is cut in two arrives whole', async () => {
    const bytes = new TextEncoder().encode('data: 🌻\n\n');
    expect(await eventsOf(body(bytes.slice(0, 8), bytes.slice(8)))).toEqual([message('🌻')]);
  });

  test('are the same however the stream is cut', async () => {
    const text = 'id: 1\rdata: a\r\ndata: bc\n\r\n: x\n\ndata: d\r\r';
    const whole = await eventsOf(body(text));
    expect(whole).toHaveLength(2);
    for (let size = 1; size < text.length; size++) {
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
      expect(await eventsOf(body(...pieces))).toEqual(whole);
    }
  });

  test('of one long line in many small pieces are read as the pieces come', async () => {
    const pieces = Array.from({ length: 20_000 }, () => 'x'.repeat(100));
    const [event] = await eventsOf(body('data: ', ...pieces, '\n\n'), 4_000_000);
    expect(event?.data).toHaveLength(2_000_000);
  });

  test.each([
    ['one line', [`data: ${'x'.repeat(2_000)}`]],
    ['many lines', Array.from({ length: 300 }, () => 'data: xxxxx\n')],
  ])('that never end (%s) are given up', async (_what, chunks) => {
    expect(eventsOf(body(...chunks))).rejects.toBeInstanceOf(EventTooLong);
  });
});
