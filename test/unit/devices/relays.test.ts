import { describe, expect, test } from 'bun:test';
import { OpenStream } from '../../../src/devices/open-stream.ts';
import { relayHttp } from '../../../src/devices/relay-http.ts';
import { relayWebSocket, type VisitorSocket } from '../../../src/devices/relay-web-socket.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import { type AnswerHead, encodeAnswerHead, encodeRequestHead } from '../../../src/tunnel/heads.ts';
import type { TunnelStream } from '../../../src/tunnel/model.ts';
import { encodeClose, encodeMessage, MessageKind } from '../../../src/tunnel/socket-messages.ts';
import { httpHead } from '../../support/agent-stream.ts';
import { errorOf } from '../../support/error-of.ts';
import { mustOpen, recordingReader, tunnelPair } from '../../support/tunnel.ts';
import { until } from '../../support/until.ts';

const IDLE_MS = 60_000;
const CARRIED = {
  service: 'web',
  sessionId: 'ses_a' as SessionId,
  userId: undefined,
} as const;

/** One exchange with a device that does what a test wants. */
function exchange(kind: 'http' | 'websocket', onStream: (stream: TunnelStream) => void) {
  const { server, client } = tunnelPair({ client: { onStream } });
  const seen = { answered: 0, released: 0, outcomes: [] as string[] };
  const patience = { answerTimeoutMs: IDLE_MS, idleTimeoutMs: IDLE_MS };
  const open = new OpenStream(mustOpen(server.mux), { ...CARRIED, kind }, patience, () => seen.released++);
  const visitor = new AbortController();
  const shared = {
    open,
    head: encodeRequestHead(httpHead({ kind })),
    signal: visitor.signal,
    metrics: { carried: (_kind: string, outcome: string) => void seen.outcomes.push(outcome) },
  };
  const nothingIsLeft = () =>
    until('nothing is left', () => server.mux.streams.size === 0 && client.mux.streams.size === 0);
  return { seen, open, visitor, shared, nothingIsLeft, server };
}

function http(onStream: (stream: TunnelStream) => void, method = 'GET') {
  const made = exchange('http', onStream);
  const answer = relayHttp({
    ...made.shared,
    method,
    body: null,
    fieldsOf: (fields) => new Headers(fields.map(([name, value]): [string, string] => [name, value])),
    onAnswered: () => made.seen.answered++,
  });
  return { ...made, answer };
}

/** Says the head of an answer, and what follows it, and nothing more. */
const saying =
  (head: AnswerHead, ...pieces: readonly Uint8Array[]) =>
  (stream: TunnelStream) => {
    recordingReader(stream);
    void stream.write(encodeAnswerHead(head));
    for (const piece of pieces) void stream.write(piece);
    stream.finish();
  };

describe('an answer that is out gives its connection the usual patience back', () => {
  test.each([
    ['in one piece', 'GET', 200, [Buffer.from('ok')]],
    ['without a body', 'GET', 204, []],
    ['to HEAD', 'HEAD', 200, []],
    ['not modified', 'GET', 304, []],
  ] as const)('%s', async (_what, method, status, pieces) => {
    const { answer, seen, nothingIsLeft } = http(saying({ status, headers: [] }, ...pieces), method);
    expect((await answer).status).toBe(status);
    await nothingIsLeft();
    expect(seen).toEqual({ answered: 1, released: 1, outcomes: ['answered'] });
  });

  test('refused', async () => {
    const { answer, seen, nothingIsLeft } = http(saying({ refused: 'busy' }));
    expect(await errorOf(answer)).toMatchObject({ code: 'device_busy' });
    await nothingIsLeft();
    expect(seen).toEqual({ answered: 1, released: 1, outcomes: ['refused'] });
  });
});

test('a visitor who leaves an answer that has come whole, unread, leaves nothing behind', async () => {
  const { answer, seen, nothingIsLeft } = http((stream) => {
    recordingReader(stream);
    void stream.write(encodeAnswerHead({ status: 200, headers: [] }));
    void stream.write(Buffer.from('all of it'));
    setImmediate(() => stream.finish());
  });
  const { body } = await answer;
  await nothingIsLeft();
  await body?.cancel();
  expect(seen).toMatchObject({ released: 1, outcomes: ['answered'] });
});

/** The visitor's end of a WebSocket, which closes when it is told to. */
function visitorSocket(): VisitorSocket & { readonly texts: string[]; readonly closes: string[] } {
  const texts: string[] = [];
  const closes: string[] = [];
  return {
    texts,
    closes,
    sendText: (text) => texts.push(text),
    sendBinary: ({ length }) => length,
    close: (code, reason) => void closes.push(`${code} ${reason}`),
    pause: () => undefined,
    resume: () => undefined,
    getBufferedAmount: () => 0,
  };
}

function webSocket(onStream: (stream: TunnelStream) => void) {
  const made = exchange('websocket', onStream);
  return { ...made, answer: relayWebSocket({ ...made.shared, maxMessageBytes: 1_024 }) };
}

async function agreed(answer: ReturnType<typeof relayWebSocket>) {
  const found = await answer;
  if (!found.agreed) throw new Error(`answered ${found.status}`);
  return found.relay;
}

const AGREED = encodeAnswerHead({ status: 101, headers: [] });

describe('what comes of asking for a WebSocket counts once', () => {
  test.each([
    ['refused by the agent', saying({ refused: 'unknown_service' }), 'refused'],
    [
      'no head',
      (stream: TunnelStream) => {
        recordingReader(stream);
        void stream.write(Buffer.from('\0\0\0\u0002[]'));
      },
      'broken',
    ],
    ['cut', (stream: TunnelStream) => stream.reset(), 'broken'],
  ])('%s', async (_what, onStream, outcome) => {
    const { answer, seen, nothingIsLeft } = webSocket(onStream);
    expect(await errorOf(answer)).toBeInstanceOf(Error);
    await nothingIsLeft();
    expect(seen).toMatchObject({ released: 1, outcomes: [outcome] });
  });

  test('declined by the service', async () => {
    const { answer, seen, nothingIsLeft } = webSocket(saying({ status: 403, headers: [] }));
    expect(await answer).toMatchObject({ agreed: false, status: 403 });
    await nothingIsLeft();
    expect(seen).toMatchObject({ released: 1, outcomes: ['answered'] });
  });
});

describe('a service that has left before the visitor’s socket is open', () => {
  test.each([
    ['broken off', (stream: TunnelStream) => stream.reset(), '1011 the service failed'],
    ['without a word', (stream: TunnelStream) => stream.finish(), '1011 the service went away'],
    [
      'with a close',
      (stream: TunnelStream) => {
        void stream.write(encodeClose(4_000, 'done'));
        stream.finish();
      },
      '4000 done',
    ],
  ])('closes it: %s', async (_what, leave, close) => {
    const { answer, seen, nothingIsLeft } = webSocket((stream) => {
      recordingReader(stream);
      void stream.write(AGREED);
      void stream.write(encodeMessage(MessageKind.text, 'hello'));
      queueMicrotask(() => queueMicrotask(() => leave(stream)));
    });
    const relay = await agreed(answer);
    await nothingIsLeft();
    const socket = visitorSocket();
    relay.opened(socket);
    expect([socket.texts, socket.closes]).toEqual([['hello'], [close]]);
    relay.closed(1_000, '');
    expect(seen.released).toBe(1);
  });
});

test('a device that never agrees to a close is looked after until its patience ends', async () => {
  const { answer, seen, open, nothingIsLeft } = webSocket((stream) => {
    recordingReader(stream);
    void stream.write(AGREED);
  });
  const relay = await agreed(answer);
  relay.opened(visitorSocket());
  relay.closed(1_000, 'bye');
  open.round(0);
  expect(seen.released).toBe(0);
  open.round(IDLE_MS);
  expect(seen.released).toBe(1);
  await nothingIsLeft();
});
