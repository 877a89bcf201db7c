import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { MalformedMessage, type Message, parseMessage } from '../../src/mcp/message.ts';

const id = fc.oneof(
  fc.string({ maxLength: 256 }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const params = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 }));
const method = fc.string({ minLength: 1, maxLength: 256 });
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function attempt(text: string): Message | MalformedMessage {
  try {
    return parseMessage(text);
  } catch (error) {
    if (error instanceof MalformedMessage) return error;
    throw error;
  }
}

test('a request is read as it was written', () => {
  fc.assert(
    fc.property(id, method, params, (one, name, given) => {
      const message = attempt(JSON.stringify({ jsonrpc: '2.0', id: one, method: name, params: given }));
      expect(message).toEqual({
        kind: 'request',
        id: plain(one) as string | number,
        method: name,
        params: plain(given) as Record<string, unknown>,
      });
    }),
  );
});

test('any JSON is a message, or refused', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const message = attempt(JSON.stringify(value));
      if (message instanceof MalformedMessage) expect([-32_600, -32_700]).toContain(message.error.code);
    }),
  );
});

test('any text is a message, or refused', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      attempt(text);
    }),
  );
});

test('what nests too deeply is refused, however it is written; text does not count', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.string(), fc.boolean(), (depth, text, isList) => {
      const [open, close] = isList ? ['[', ']'] : ['{"a":', '}'];
      const inner = `${open.repeat(depth)}${JSON.stringify(text)}${close.repeat(depth)}`;
      const message = attempt(`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":${inner}}}`);
      // Two levels are the message's own.
      expect(message instanceof MalformedMessage).toBe(depth + 2 > 128);
    }),
  );
});
