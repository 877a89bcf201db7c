import { describe, expect, test } from 'bun:test';
import type { NativeHandler } from '../../../src/http/native.ts';
import { acceptSocket, offeredProtocols, type ServerSocket } from '../../../src/http/web-socket.ts';
import { AppError } from '../../../src/lib/app-error.ts';
import { SERVED_HOST, temporaryServer } from '../../support/http-server.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';
import { until } from '../../support/until.ts';

const LIMITS = {
  maxBodyBytes: 10_000,
  headTimeoutMs: 10_000,
  drainTimeoutMs: 200,
  sockets: { maxMessageBytes: 4_096, maxBufferedBytes: 65_536 },
};
const HANDSHAKE = [
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
/** The last flag of the first byte says that a frame is the last one; the first of the rest, that it is compressed. */
const COMPRESSED_TEXT = 0xc1;

interface Seen {
  sockets: ServerSocket[];
  messages: (string | number)[];
  ends: string[];
  drained: number;
}

/** A server whose `/echo` repeats what it is told, and `/small` takes no more than 100 bytes at once. */
function echoServer() {
  const seen: Seen = { sockets: [], messages: [], ends: [], drained: 0 };
  const echo =
    (maxMessageBytes?: number): NativeHandler =>
    async (request, _peer, connection) => {
      // As every recognition that has to ask the database does.
      await Promise.resolve();
      let own: ServerSocket | undefined;
      const [protocol] = offeredProtocols(request);
      return acceptSocket(
        connection,
        request,
        {
          ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
          opened: (socket) => {
            own = socket;
            seen.sockets.push(socket);
          },
          message: (message) => {
            seen.messages.push(typeof message === 'string' ? message : message.length);
            if (message === 'fail') throw new Error('as asked');
            if (typeof message === 'string') own?.sendText(message);
            else own?.sendBinary(Uint8Array.from(message));
          },
          drained: () => {
            seen.drained += 1;
          },
          closed: (code, reason) => seen.ends.push(`${code} ${reason}`),
        },
        protocol === undefined ? {} : { protocol },
      );
    };
  const refused: NativeHandler = () => {
    throw new AppError('forbidden', 'not_allowed', 'No.');
  };
  const server = temporaryServer(() => {}, {
    ownRoutes: { '/echo': echo(), '/small': echo(100), '/refused': refused },
    limits: LIMITS,
  });
  return { ...server, seen, url: (path: string) => `ws://127.0.0.1:${server.port}${path}` };
}

const OPTIONS = { headers: { host: SERVED_HOST } };

async function open(url: string, protocols: string[] = []): Promise<WebSocket> {
  const socket = new WebSocket(url, { ...OPTIONS, protocols });
  socket.binaryType = 'arraybuffer';
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new Error('was not opened')), { once: true });
  });
  return socket;
}

const nextMessage = (socket: WebSocket) =>
  new Promise<unknown>((resolve) => {
    socket.addEventListener('message', ({ data }) => resolve(data), { once: true });
  });

const closed = (socket: WebSocket) =>
  new Promise<number>((resolve) => {
    socket.addEventListener('close', ({ code }) => resolve(code), { once: true });
  });

describe('a native route', () => {
  test('becomes a WebSocket that carries texts and bytes both ways', async () => {
    await using server = echoServer();
    const socket = await open(server.url('/echo'));
    const text = nextMessage(socket);
    socket.send('hello');
    expect(await text).toBe('hello');
    const bytes = nextMessage(socket);
    socket.send(new Uint8Array([1, 2, 3]));
    expect(await bytes).toEqual(Uint8Array.of(1, 2, 3).buffer);
    const end = closed(socket);
    socket.close(4000, 'enough');
    await end;
    await until('the end is told once', () => server.seen.ends.length > 0);
    expect(server.seen.ends).toEqual(['4000 enough']);
    expect(server.metrics.render()).toContain(`${counterOf('/echo', 101)} 1\n`);
  });

  test('compresses nothing, also for a client that offers it, and agrees on a subprotocol', async () => {
    await using server = echoServer();
    const socket = await open(server.url('/echo'), ['one', 'two']);
    expect([socket.extensions, socket.protocol]).toEqual(['', 'one']);
    socket.close();
  });

  test('may refuse instead', async () => {
    await using server = echoServer();
    const answer = await rawHttp(
      server.port,
      rawHead('GET /refused HTTP/1.1', `Host: ${SERVED_HOST}`, ...HANDSHAKE),
    );
    expect(answer.status).toBe(403);
  });
});

describe('what is closed', () => {
  test.each([
    ['/echo', 4_097],
    ['/small', 101],
  ])('%s closes with 1009 over %d bytes', async (path, bytes) => {
    await using server = echoServer();
    const socket = await open(server.url(path));
    const end = closed(socket);
    socket.send(new Uint8Array(bytes));
    expect(await end).toBe(1009);
    expect(server.seen.messages).toEqual([]);
  });

  test('a compressed frame, which nobody agreed on', async () => {
    await using server = echoServer();
    const head = rawHead('GET /echo HTTP/1.1', `Host: ${SERVED_HOST}`, ...HANDSHAKE).replace(
      'Connection: close',
      'Connection: Upgrade',
    );
    const frame = Buffer.from([COMPRESSED_TEXT, 0x81, 0, 0, 0, 0, 0x61]);
    const answer = await rawHttp(server.port, Buffer.concat([Buffer.from(head), frame]));
    expect(answer.status).toBe(101);
    expect(server.seen.messages).toEqual([]);
    await until('it was closed', () => server.seen.ends.length === 1);
  });

  test('a socket whose handler throws, with 1011', async () => {
    await using server = echoServer();
    const socket = await open(server.url('/echo'));
    const end = closed(socket);
    socket.send('fail');
    expect(await end).toBe(1011);
    expect(server.log.lines).toContainEqual(expect.objectContaining({ level: 'error' }));
  });

  test('a socket that is sent more than it reads, when nobody waits for it', async () => {
    await using server = echoServer();
    const socket = await open(server.url('/echo'));
    socket.pause();
    const [own] = server.seen.sockets;
    const piece = new Uint8Array(16_384);
    const sent = () => own?.sendBinary(piece);
    for (let i = 0; i < 10_000 && sent() !== 0; i++);
    await until('it was closed', () => server.seen.ends.length === 1);
    socket.terminate();
  });
});

test('a handler is told when a full socket takes more again', async () => {
  await using server = echoServer();
  const socket = await open(server.url('/echo'));
  socket.pause();
  const [own] = server.seen.sockets;
  const piece = new Uint8Array(4_096);
  for (let i = 0; i < 10_000 && own?.sendBinary(piece) !== -1; i++);
  expect(server.seen.drained).toBe(0);
  socket.resume();
  await until('it drained', () => server.seen.drained > 0);
  expect(server.seen.ends).toEqual([]);
  socket.terminate();
});

describe('what is no handshake is refused and becomes nothing', () => {
  const cases: [name: string, line: string, headers: string[]][] = [
    ['no upgrade', 'GET /echo HTTP/1.1', []],
    ['POST', 'POST /echo HTTP/1.1', [...HANDSHAKE, 'Content-Length: 0']],
    ['another version', 'GET /echo HTTP/1.1', [HANDSHAKE[0] ?? '', 'Sec-WebSocket-Version: 8']],
    ['no key', 'GET /echo HTTP/1.1', HANDSHAKE.slice(0, 2)],
    ['a short key', 'GET /echo HTTP/1.1', [...HANDSHAKE.slice(0, 2), 'Sec-WebSocket-Key: YQ==']],
    ['HTTP/2 in the clear', 'GET /echo HTTP/1.1', ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']],
    ['Connection names no upgrade', 'GET /echo HTTP/1.1', HANDSHAKE],
  ];
  test.each(cases)('%s', async (_name, line, headers) => {
    await using server = echoServer();
    const answer = await rawHttp(server.port, rawHead(line, `Host: ${SERVED_HOST}`, ...headers));
    expect(answer.status).toBe(400);
    expect(server.seen.sockets).toEqual([]);
  });

  test('another host', async () => {
    await using server = echoServer();
    const head = rawHead('GET /echo HTTP/1.1', 'Host: other.example.com', ...HANDSHAKE);
    expect((await rawHttp(server.port, head)).status).toBe(421);
  });
});

test('what is still open at the end of the drain is cut with 1001', async () => {
  const server = echoServer();
  const socket = await open(server.url('/echo'));
  const end = closed(socket);
  await server[Symbol.asyncDispose]();
  expect(await end).toBe(1001);
  expect(server.seen.ends).toHaveLength(1);
});

function counterOf(route: string, status: number): string {
  return `postern_http_requests_total{route="${route}",method="GET",status="${status}"}`;
}
