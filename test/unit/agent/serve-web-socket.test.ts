import { describe, expect, test } from 'bun:test';
import type { HttpRequestHead } from '../../../src/tunnel/heads.ts';
import {
  decodeClose,
  encodeClose,
  encodeMessage,
  MessageKind,
  messageReader,
} from '../../../src/tunnel/socket-messages.ts';
import { agentStreams, type Heard, httpHead, target } from '../../support/agent-stream.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/until.ts';

interface Seen {
  headers: Record<string, string>;
  url: string;
  closes: [number, string][];
  open: number;
}

/** Answers each message with the same; `bye` is answered with a close. */
function echoSockets(protocol?: string) {
  const seen: Seen = { headers: {}, url: '', closes: [], open: 0 };
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request, running) {
      seen.headers = request.headers.toJSON();
      seen.url = request.url;
      if (new URL(request.url).pathname === '/no') return new Response('no', { status: 403 });
      const headers = protocol === undefined ? {} : { 'sec-websocket-protocol': protocol };
      return running.upgrade(request, { headers, data: undefined }) ? undefined : new Response('?');
    },
    websocket: {
      open: () => void seen.open++,
      message(socket, message) {
        if (message === 'bye') socket.close(4_007, 'as you wish');
        else if (message === 'cut') socket.terminate();
        else if (message === 'len') socket.send('longer');
        else socket.send(message);
      },
      close(_, code, reason) {
        seen.open--;
        seen.closes.push([code, reason]);
      },
    },
  });
  return { seen, port: server.port ?? 0, [Symbol.asyncDispose]: () => server.stop(true) };
}

const open = (
  streams: ReturnType<typeof agentStreams>,
  head: Partial<HttpRequestHead> = {},
  options: { hold?: boolean } = {},
) => streams.open(httpHead({ kind: 'websocket', target: '/socket?a=1', ...head }), options);

/** The messages in what arrived. */
function messagesOf(heard: Heard): (string | [number, string])[] {
  const messages: (string | [number, string])[] = [];
  const reader = messageReader(100_000_000, ({ kind, payload }) => {
    if (kind !== MessageKind.close) return void messages.push(Buffer.from(payload).toString());
    const { code, reason } = decodeClose(payload);
    messages.push([code, reason]);
  });
  for (const chunk of heard.chunks) reader.push(chunk);
  return messages;
}

describe('a WebSocket of a service', () => {
  test('messages both ways, those from before it was open too', async () => {
    await using service = echoSockets();
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${service.port}`) } });
    const { stream, answer } = open(streams, {
      headers: [
        ['origin', 'https://web--pi.devices.example.org'],
        ['cookie', 'a=1'],
        ['sec-websocket-key', 'stale'],
      ],
    });
    void stream.write(encodeMessage(MessageKind.text, 'early'));
    const { head, heard } = await answer;
    expect(head).toEqual({ status: 101, headers: [] });
    void stream.write(encodeMessage(MessageKind.binary, Buffer.from('bytes')));
    void stream.write(encodeMessage(MessageKind.text, ''));
    await until('all came back', () => messagesOf(heard).length === 3);
    expect(messagesOf(heard)).toEqual(['early', 'bytes', '']);
    expect(service.seen.url).toEndWith('/socket?a=1');
    expect(service.seen.headers).toMatchObject({
      host: 'web--pi.devices.example.org',
      origin: 'https://web--pi.devices.example.org',
      cookie: 'a=1',
    });
    expect(service.seen.headers).not.toHaveProperty('sec-websocket-extensions');
    stream.reset();
    await until('it is closed', () => service.seen.open === 0);
  });

  test('the subprotocol that the service chose', async () => {
    await using service = echoSockets('chat.v2');
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${service.port}`) } });
    const { head } = await open(streams, { headers: [['sec-websocket-protocol', 'chat.v1, chat.v2']] })
      .answer;
    expect(head).toEqual({ status: 101, headers: [['sec-websocket-protocol', 'chat.v2']] });
  });

  test('a close by the service, with code and reason', async () => {
    await using service = echoSockets();
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${service.port}`) } });
    const { stream, answer } = open(streams);
    const { heard } = await answer;
    void stream.write(encodeMessage(MessageKind.text, 'bye'));
    await heard.done.promise;
    expect(messagesOf(heard)).toEqual([[4_007, 'as you wish']]);
    stream.finish();
    await until('nothing is left', () => streams.agent.mux.streams.size === 0);
  });

  test.each([
    [4_001, 4_001],
    [1_000, 1_000],
    [1_001, 1_000],
  ])('a close by the visitor with %i', async (code, expected) => {
    await using service = echoSockets();
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${service.port}`) } });
    const { stream, answer } = open(streams);
    await answer;
    void stream.write(encodeClose(code, 'done'));
    stream.finish();
    await until('it is closed', () => service.seen.closes.length === 1);
    expect(service.seen.closes).toEqual([[expected, 'done']]);
    await until('nothing is left', () => streams.agent.mux.streams.size === 0);
  });

  test('a service that breaks off cuts the stream', async () => {
    await using service = echoSockets();
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${service.port}`) } });
    const { stream, answer } = open(streams);
    const { heard } = await answer;
    void stream.write(encodeMessage(MessageKind.text, 'cut'));
    await heard.done.promise;
    expect(heard.outcome).toBe('remote');
  });

  test.each(['a, a', 'a b', 'ä'])(
    'subprotocols that are none (%s) are refused, and nothing else is hurt',
    async (protocols) => {
      await using service = echoSockets();
      using streams = agentStreams({
        services: { web: target(`http://127.0.0.1:${service.port}`) },
        // Whoever is refused takes nobody's place.
        limits: { connections_per_service: 1 },
      });
      const headers = [['sec-websocket-protocol', protocols]] as const;
      expect((await open(streams, { headers }).answer).head).toEqual({ refused: 'bad_request' });
      expect(streams.agent.ends).toEqual([]);
      expect((await open(streams).answer).head).toEqual({ status: 101, headers: [] });
    },
  );

  test('a close whose reason is no text', async () => {
    await using service = echoSockets();
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${service.port}`) } });
    const { stream, answer } = open(streams);
    await answer;
    const payload = Buffer.concat([Buffer.from([0x0f, 0xa1]), Buffer.alloc(123, 0xff)]);
    void stream.write(encodeMessage(MessageKind.close, payload));
    void stream.write(encodeMessage(MessageKind.text, 'too late'));
    stream.finish();
    await until('it is closed', () => service.seen.closes.length === 1);
    expect([service.seen.closes, streams.agent.ends]).toEqual([[[4_001, '']], []]);
  });

  test('a refusal of the service goes on as it is', async () => {
    await using service = echoSockets();
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${service.port}`) } });
    const { head } = await open(streams, { target: '/no' }).answer;
    expect(head).toEqual({ status: 403, headers: [] });
  });

  test('nobody listens', async () => {
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${freePort()}`) } });
    expect((await open(streams).answer).head).toEqual({ refused: 'service_unreachable' });
  });

  test('a service that never answers', async () => {
    const service = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } });
    using streams = agentStreams({
      services: { web: target(`http://127.0.0.1:${service.port}`) },
      limits: { connect_timeout: 50 },
    });
    expect((await open(streams).answer).head).toEqual({ refused: 'service_timeout' });
    service.stop(true);
  });

  test.each([
    ['an unknown kind', Buffer.from([7, 0, 0, 0, 1, 0])],
    ['too long a message', Buffer.from([1, 0x7f, 0xff, 0xff, 0xff])],
  ])('%s of the visitor ends it', async (_what, bytes) => {
    await using service = echoSockets();
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${service.port}`) } });
    const { stream, answer } = open(streams);
    const { heard } = await answer;
    void stream.write(bytes);
    await heard.done.promise;
    expect(heard.outcome).toBe('remote');
    await until('it is closed', () => service.seen.open === 0);
  });

  test('too long a message of the service ends it', async () => {
    await using service = echoSockets();
    using streams = agentStreams({
      services: { web: target(`http://127.0.0.1:${service.port}`) },
      limits: { message_bytes: 3 },
    });
    const { stream, answer } = open(streams);
    const { heard } = await answer;
    void stream.write(encodeMessage(MessageKind.text, 'len'));
    await heard.done.promise;
    expect(messagesOf(heard)).toEqual([[1009, 'the service sent too long a message']]);
    await until('it is closed', () => service.seen.open === 0);
  });

  test('large messages, at the speed of the reader', async () => {
    await using service = echoSockets();
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${service.port}`) } });
    const { stream, answer } = open(streams);
    const { heard } = await answer;
    const message = encodeMessage(MessageKind.binary, new Uint8Array(1_000_000).fill(7));
    for (let each = 0; each < 20; each++) await stream.write(message.slice());
    await until('all came back', () => heard.bytes === 20 * message.length);
    expect(streams.agent.mux.bufferedBytes).toBeLessThan(1_048_576);
  });
});
