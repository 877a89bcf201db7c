import { describe, expect, test } from 'bun:test';
import { endToEndHeaders } from '../../../src/tunnel/header-list.ts';
import {
  type AnswerHead,
  decodeAnswerHead,
  decodeRequestHead,
  encodeAnswerHead,
  encodeRequestHead,
  HeadError,
  type HttpRequestHead,
  MAX_HEAD_BYTES,
  type RequestHead,
} from '../../../src/tunnel/heads.ts';
import { readHead } from '../../../src/tunnel/read-head.ts';
import { dataFrame, FIN, RST, rawTunnel, SYN } from '../../support/raw-tunnel.ts';
import { recordingReader } from '../../support/tunnel.ts';

const REQUEST: HttpRequestHead = {
  kind: 'http',
  service: 'web',
  method: 'GET',
  target: '/a/b?c=d%20e',
  scheme: 'https',
  host: 'web--pump.devices.example.com',
  headers: [
    ['accept', 'text/html, */*;q=0.8'],
    ['x-latin', 'caf\u00e9'],
    ['x-empty', ''],
    ['cookie', 'a=b'],
    ['cookie', 'c=d'],
  ],
};
const ANSWER: AnswerHead = { status: 200, headers: [['content-type', 'text/plain']] };

const text = (head: unknown) => Buffer.from(JSON.stringify(head));

describe('a head is read as it was written', () => {
  test.each<[string, RequestHead]>([
    ['a request', REQUEST],
    ['a request for a WebSocket', { ...REQUEST, kind: 'websocket' }],
    ['a request with an unusual method', { ...REQUEST, method: 'PROPFIND' }],
    ['a host with a port', { ...REQUEST, host: '[fd00::1]:8443' }],
    ['a TCP connection', { kind: 'tcp', service: 'ssh' }],
  ])('%s', (_what, head) => {
    expect(decodeRequestHead(encodeRequestHead(head).subarray(4))).toEqual(head);
  });

  test.each<[string, AnswerHead]>([
    ['an answer', ANSWER],
    ['a WebSocket that opened', { status: 101, headers: [] }],
    ['a refusal', { refused: 'unknown_service' }],
  ])('%s', (_what, head) => {
    expect(decodeAnswerHead(encodeAnswerHead(head).subarray(4))).toEqual(head);
  });
});

describe('what may not stand in a request head is refused by both sides', () => {
  const headers = (...lines: unknown[]) => ({ ...REQUEST, headers: lines });
  test.each<[string, unknown]>([
    ['another kind', { ...REQUEST, kind: 'udp' }],
    ['no kind', { ...REQUEST, kind: undefined }],
    ['a service that is an address', { ...REQUEST, service: '127.0.0.1:22' }],
    ['a service that is a path', { ...REQUEST, service: '../web' }],
    ['a service in capitals', { ...REQUEST, service: 'Web' }],
    ['an empty service', { ...REQUEST, service: '' }],
    ['CONNECT', { ...REQUEST, method: 'CONNECT' }],
    ['TRACE', { ...REQUEST, method: 'TRACE' }],
    ['a method with a space', { ...REQUEST, method: 'GET /' }],
    ['a method with a line break', { ...REQUEST, method: 'GET\r\n' }],
    ['a WebSocket by POST', { ...REQUEST, kind: 'websocket', method: 'POST' }],
    ['an absolute target', { ...REQUEST, target: 'http://elsewhere/' }],
    ['a target without a slash', { ...REQUEST, target: 'a' }],
    ['an asterisk', { ...REQUEST, target: '*' }],
    ['a target with a space', { ...REQUEST, target: '/ HTTP/1.1' }],
    ['a target with a line break', { ...REQUEST, target: '/\r\nx: y' }],
    ['a target with a fragment', { ...REQUEST, target: '/#a' }],
    ['a target beyond ASCII', { ...REQUEST, target: '/\u00e9' }],
    ['another scheme', { ...REQUEST, scheme: 'ftp' }],
    ['a host with a path', { ...REQUEST, host: 'a/b' }],
    ['a host with a user', { ...REQUEST, host: 'a@b' }],
    ['a host with a line break', { ...REQUEST, host: 'a\nb' }],
    ['headers that are no list', { ...REQUEST, headers: { accept: 'x' } }],
    ['a header that is no pair', headers(['accept'])],
    ['a header of three', headers(['accept', 'a', 'b'])],
    ['a header that is a number', headers(['accept', 1])],
    ['a name in capitals', headers(['Accept', 'x'])],
    ['an empty name', headers(['', 'x'])],
    ['a name with a colon', headers([':authority', 'x'])],
    ['a name with a line break', headers(['a\r\nb', 'x'])],
    ['a value with a line break', headers(['a', 'x\r\nset-cookie: y'])],
    ['a value with a line feed', headers(['a', 'x\ny'])],
    ['a value with a zero', headers(['a', 'x\0y'])],
    ['a value with a blank at its end', headers(['a', 'x '])],
    ['a value beyond Latin-1', headers(['a', '\u2028'])],
    ['connection', headers(['connection', 'close'])],
    ['transfer-encoding', headers(['transfer-encoding', 'chunked'])],
    ['upgrade', headers(['upgrade', 'h2c'])],
    ['http2-settings', headers(['http2-settings', 'AAMAAABkAAQAAP__'])],
    ['proxy-authorization', headers(['proxy-authorization', 'Basic x'])],
    ['an unknown member', { ...REQUEST, address: '10.0.0.1' }],
    ['a TCP connection to an address', { kind: 'tcp', service: 'ssh', port: 22 }],
  ])('%s', (_what, head) => {
    expect(() => decodeRequestHead(text(head))).toThrow(HeadError);
    expect(() => encodeRequestHead(head as RequestHead)).toThrow(HeadError);
  });

  test.each([
    ['nothing', ''],
    ['half of it', '{"kind":"tcp"'],
    ['a list', '[]'],
    ['null', 'null'],
    ['text', '"tcp"'],
    ['text behind it', '{"kind":"tcp","service":"ssh"} x'],
    ['a prototype', '{"__proto__":{"kind":"tcp","service":"ssh"}}'],
  ])('%s is no head', (_what, json) => {
    expect(() => decodeRequestHead(Buffer.from(json))).toThrow(HeadError);
  });

  test('bytes that are not UTF-8 are no head', () => {
    const bytes = text({ kind: 'tcp', service: 'ssh' });
    bytes[bytes.length - 3] = 0xff;
    expect(() => decodeRequestHead(bytes)).toThrow(HeadError);
  });

  test('a head that is too long is not sent', () => {
    const head = { ...REQUEST, headers: [['x', 'y'.repeat(MAX_HEAD_BYTES)]] } as RequestHead;
    expect(() => encodeRequestHead(head)).toThrow('the head is too long');
  });
});

describe('what may not stand in an answer head is refused by both sides', () => {
  test.each<[string, unknown]>([
    ['a status of 100', { status: 100, headers: [] }],
    ['a status of 600', { status: 600, headers: [] }],
    ['a status that is text', { status: '200', headers: [] }],
    ['a status with a fraction', { status: 200.5, headers: [] }],
    ['no headers', { status: 200 }],
    ['a hop-by-hop header', { status: 200, headers: [['transfer-encoding', 'chunked']] }],
    ['an injected header', { status: 200, headers: [['a', 'b\r\nc: d']] }],
    ['an unknown refusal', { refused: 'because' }],
    ['a refusal with a status', { refused: 'busy', status: 200 }],
    ['an unknown member', { status: 200, headers: [], trailers: [] }],
  ])('%s', (_what, head) => {
    expect(() => decodeAnswerHead(text(head))).toThrow(HeadError);
    expect(() => encodeAnswerHead(head as AnswerHead)).toThrow(HeadError);
  });
});

test('a refusal never repeats what was sent', () => {
  try {
    decodeRequestHead(text({ ...REQUEST, target: 'secret' }));
    expect.unreachable();
  } catch (error) {
    expect(String(error)).not.toContain('secret');
  }
});

test('headers that end with the connection do not go on, nor those that it names', () => {
  const headers = new Headers({
    connection: 'Keep-Alive, X-Mine',
    'keep-alive': 'timeout=5',
    'x-mine': '1',
    te: 'trailers',
    upgrade: 'h2c',
    'transfer-encoding': 'chunked',
    accept: 'text/html',
  });
  expect(endToEndHeaders(headers)).toEqual([['accept', 'text/html']]);
});

describe('reading the head of a stream', () => {
  function reading() {
    const heard = {
      heads: [] as RequestHead[],
      errors: [] as HeadError[],
      resets: 0,
      rest: [] as ReturnType<typeof recordingReader>[],
    };
    const tunnel = rawTunnel({
      onStream(stream) {
        readHead(stream, decodeRequestHead, {
          head(head) {
            heard.heads.push(head);
            const rest = recordingReader(stream);
            heard.rest.push(rest);
            return rest.reader;
          },
          bad: (error) => heard.errors.push(error),
          reset: () => void heard.resets++,
        });
      },
    });
    return { tunnel, heard };
  }
  const whole = Buffer.concat([encodeRequestHead(REQUEST), Buffer.from('and a body')]);

  test('however it is cut, what follows goes to the next reader', async () => {
    for (const size of [1, 3, 4, 5, 100, whole.length - 10, whole.length - 1, whole.length]) {
      const { tunnel, heard } = reading();
      tunnel.mux.receive(dataFrame(1, SYN, ''));
      for (let at = 0; at < whole.length; at += size) {
        tunnel.mux.receive(dataFrame(1, 0, whole.subarray(at, at + size)));
      }
      tunnel.mux.receive(dataFrame(1, FIN, ''));
      expect(heard.heads).toEqual([REQUEST]);
      expect(heard.rest.map(({ text, ended }) => ({ text, ended }))).toEqual([
        { text: 'and a body', ended: true },
      ]);
      expect(tunnel.mux.bufferedBytes).toBe(0);
    }
  });

  test.each<[string, Buffer]>([
    ['too short', Buffer.from([0, 0, 0, 1, 65])],
    ['too long', Buffer.from([0, 2, 0, 0])],
    ['malformed', Buffer.from([0, 0, 0, 2, 91, 93])],
  ])('one that is %s is refused at once, and what follows is dropped', (_what, bytes) => {
    const { tunnel, heard } = reading();
    tunnel.mux.receive(dataFrame(1, SYN, bytes));
    expect(heard.errors).toHaveLength(1);
    for (let at = 0; at < 20; at++) {
      tunnel.mux.receive(dataFrame(1, 0, new Uint8Array(8000)));
      expect(tunnel.mux.bufferedBytes).toBe(0);
    }
    expect(heard.errors).toHaveLength(1);
    expect(tunnel.mux.streams.get(1)?.isWritable).toBe(true);
  });

  test('one that never ends is refused at the end of the stream, or forgotten with it', () => {
    const { tunnel, heard } = reading();
    tunnel.mux.receive(dataFrame(1, SYN | FIN, whole.subarray(0, 20)));
    expect(heard.errors.map(({ message }) => message)).toEqual(['the stream ended within its head']);
    tunnel.mux.receive(dataFrame(3, SYN, whole.subarray(0, 20)));
    tunnel.mux.receive(dataFrame(3, RST, ''));
    expect([heard.errors.length, heard.resets]).toEqual([1, 1]);
  });
});
