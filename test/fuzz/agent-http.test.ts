import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { answerHeaders } from '../../src/agent/answer-headers.ts';
import type { AnswerHead } from '../../src/agent/http-answer-head.ts';
import { type AnswerReader, HttpConnection } from '../../src/agent/http-connection.ts';
import { isHeader } from '../../src/tunnel/header-list.ts';
import { encodeAnswerHead } from '../../src/tunnel/heads.ts';
import { FUZZ_CASES } from '../support/fuzz-cases.ts';

/** What a connection made of the bytes of a service. */
interface Outcome {
  heads: AnswerHead[];
  body: string;
  end: 'open' | 'ended' | 'failed';
  isFree: boolean;
}

/** Feeds pieces to a connection that has asked once; then the service closes, unless it is still to say something. */
function feed(pieces: readonly Uint8Array[], method: string, isClosed: boolean): Outcome {
  const outcome: Outcome = { heads: [], body: '', end: 'open', isFree: false };
  const connection = new HttpConnection({
    headBytes: 4_096,
    free: () => void (outcome.isFree = true),
    gone: () => undefined,
  });
  const nothing = () => undefined;
  connection.attach({
    write: () => true,
    finish: nothing,
    pause: nothing,
    resume: nothing,
    destroy: nothing,
  });
  const over = (end: 'ended' | 'failed') => () => {
    if (outcome.end !== 'open') throw new Error('it was over already');
    outcome.end = end;
  };
  const answer: AnswerReader = {
    method,
    head: (head) => void outcome.heads.push(head),
    answerData: (chunk) => void (outcome.body += Buffer.from(chunk).toString('latin1')),
    ended: over('ended'),
    failed: over('failed'),
    flushed: nothing,
    drained: nothing,
  };
  connection.begin('GET / HTTP/1.1\r\n\r\n', answer);
  connection.sent();
  for (const piece of pieces) connection.data(piece);
  if (isClosed) {
    connection.ended();
    connection.closed();
  }
  return outcome;
}

function cut(text: string, at: readonly number[]): Uint8Array[] {
  const bytes = Buffer.from(text, 'latin1');
  const places = [...new Set(at.map((each) => each % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/);
const value = fc.stringMatching(/^[!-~](?:[ -~]{0,20}[!-~])?$/);
const field = fc
  .tuple(token, value)
  .filter(([name]) => !/^(?:content-length|transfer-encoding|connection)$/i.test(name));
const chunked = (parts: readonly string[]) =>
  `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`;

/** An answer, and what it says. */
const answers = fc
  .record({
    status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304),
    fields: fc.array(field, { maxLength: 6 }),
    parts: fc.array(fc.stringMatching(/^[ -ÿ]{1,40}$/), { maxLength: 5 }),
    framing: fc.constantFrom('length', 'chunked', 'close'),
    interim: fc.boolean(),
  })
  .map(({ status, fields, parts, framing, interim }) => {
    const body = parts.join('');
    const framed = {
      length: [`Content-Length: ${body.length}\r\n`, body],
      chunked: ['Transfer-Encoding: chunked\r\n', chunked(parts)],
      close: ['', body],
    }[framing] as [string, string];
    const lines = fields.map(([name, text]) => `${name}: ${text}\r\n`).join('');
    const first = interim ? 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n' : '';
    const text = `${first}HTTP/1.1 ${status} Fine\r\n${lines}${framed[0]}\r\n${framed[1]}`;
    return { text, status, fields, body, framing };
  });
const places = fc.array(fc.nat(), { maxLength: 8 });

test('an answer is the same however it is cut', () => {
  fc.assert(
    fc.property(answers, places, ({ text, status, fields, body, framing }, at) => {
      const { heads, body: read, end, isFree } = feed(cut(text, at), 'GET', framing === 'close');
      expect({ count: heads.length, status: heads[0]?.status, read, end }).toEqual({
        count: 1,
        status,
        read: body,
        end: 'ended',
      });
      expect(heads[0]?.headers.slice(0, fields.length)).toEqual(fields);
      expect(isFree).toBe(framing !== 'close');
    }),
    { numRuns: FUZZ_CASES },
  );
});

test('an answer that stops before its end is no whole', () => {
  fc.assert(
    fc.property(answers, fc.nat(), places, ({ text, body, framing }, length, at) => {
      const part = text.slice(0, length % text.length);
      const { end, body: read } = feed(cut(part, at), 'GET', true);
      // One that ends with its connection cannot tell.
      if (framing !== 'close') expect(end).toBe('failed');
      expect(body.startsWith(read)).toBe(true);
    }),
    { numRuns: FUZZ_CASES },
  );
});

/** Bytes that look like HTTP in places. */
const noise = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'HTTP/1.1 ',
        '200 OK',
        '\r\n',
        '\r\n\r\n',
        '\n',
        ':',
        ' ',
        '\0',
        'content-length: ',
        '5',
        '-1',
      ),
      fc.constantFrom(
        'transfer-encoding: chunked',
        'connection: close',
        '0\r\n',
        'ffffffffffff\r\n',
        '1;x\r\na\r\n',
      ),
      fc.string({ unit: 'binary-ascii', maxLength: 12 }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

test('whatever a service says is an answer or a failure, and what goes on can be said in a head', () => {
  fc.assert(
    fc.property(
      noise,
      fc.boolean(),
      places,
      fc.constantFrom('GET', 'HEAD'),
      (text, isStarted, at, method) => {
        const { heads, end } = feed(cut(isStarted ? `HTTP/1.1 200 OK\r\n${text}` : text, at), method, true);
        expect(end).not.toBe('open');
        expect(heads.length).toBeLessThanOrEqual(1);
        for (const head of heads) {
          const headers = answerHeaders(head);
          for (const [name, each] of headers) expect(isHeader(name, each)).toBe(true);
          if (head.status >= 200 && head.status <= 599) encodeAnswerHead({ status: head.status, headers });
        }
      },
    ),
    { numRuns: FUZZ_CASES },
  );
});
