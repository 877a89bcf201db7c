import { describe, expect, test } from 'bun:test';
import {
  decodeClose,
  encodeClose,
  encodeMessage,
  MessageKind,
  messageReader,
  type SocketMessage,
} from '../../../src/tunnel/socket-messages.ts';

function read(chunks: Uint8Array[], maxBytes = 1000): { messages: SocketMessage[]; accepted: boolean[] } {
  const messages: SocketMessage[] = [];
  const reader = messageReader(maxBytes, (message) => messages.push(message));
  return { accepted: chunks.map((chunk) => reader.push(chunk)), messages };
}

test('messages are read as they were written, however they are cut', () => {
  const all = Buffer.concat([
    encodeMessage(MessageKind.text, 'h\u00e9llo'),
    encodeMessage(MessageKind.binary, new Uint8Array([1, 2, 3])),
    encodeMessage(MessageKind.binary, new Uint8Array(0)),
    encodeMessage(MessageKind.ping, 'x'),
    encodeClose(4001, 'because'),
  ]);
  for (const size of [1, 2, 4, 5, 6, 13, all.length]) {
    const chunks = Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
      all.subarray(at * size, (at + 1) * size),
    );
    const { messages } = read(chunks);
    expect(messages.map(({ kind }) => kind)).toEqual([1, 2, 2, 9, 8]);
    expect(Buffer.from(messages[0]?.payload ?? []).toString()).toBe('h\u00e9llo');
    expect([...(messages[1]?.payload ?? [])]).toEqual([1, 2, 3]);
    expect(decodeClose(messages[4]?.payload ?? new Uint8Array())).toEqual({ code: 4001, reason: 'because' });
  }
});

test('a close without a code, and one whose reason is cut between two characters', () => {
  expect(decodeClose(new Uint8Array(0))).toEqual({ code: 1005, reason: '' });
  const cut = encodeClose(1000, '\u00e9'.repeat(100)).subarray(5);
  expect(cut.length).toBe(124);
  expect(decodeClose(cut)).toEqual({ code: 1000, reason: '\u00e9'.repeat(61) });
});

describe('what is no message is refused, and nothing is read after it', () => {
  test.each<[string, number[]]>([
    ['an unknown kind', [3, 0, 0, 0, 0]],
    ['one that is too long', [2, 0, 0, 3, 233]],
    ['one of 4 GiB', [2, 255, 255, 255, 255]],
    ['a close that is too long', [8, 0, 0, 0, 126]],
    ['a close with half a code', [8, 0, 0, 0, 1]],
    ['a ping that is too long', [9, 0, 0, 0, 126]],
  ])('%s', (_what, bytes) => {
    const good = encodeMessage(MessageKind.text, 'x');
    const { messages, accepted } = read([good, Uint8Array.from(bytes), good]);
    expect(accepted).toEqual([true, false, false]);
    expect(messages).toHaveLength(1);
  });
});
