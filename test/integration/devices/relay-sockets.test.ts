import { describe, expect, test } from 'bun:test';
import { createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../../src/lib/clock.ts';
import { type AnswerHead, decodeAnswerHead, encodeAnswerHead } from '../../../src/tunnel/heads.ts';
import { DEFAULT_MUX_LIMITS, type TunnelStream } from '../../../src/tunnel/model.ts';
import { openMux } from '../../../src/tunnel/mux.ts';
import { readHead } from '../../../src/tunnel/read-head.ts';
import { encodeMessage, MessageKind } from '../../../src/tunnel/socket-messages.ts';
import { target } from '../../support/agent-stream.ts';
import { codeOf } from '../../support/pairing.ts';
import { type TunnelSite, tunnelSite } from '../../support/tunnel-site.ts';
import { steady, until } from '../../support/until.ts';

const opened = (socket: WebSocket) =>
  new Promise<boolean>((resolve) => {
    socket.addEventListener('open', () => resolve(true), { once: true });
    socket.addEventListener('close', () => resolve(false), { once: true });
  });

const messagesOf = (socket: WebSocket) => {
  const messages: unknown[] = [];
  socket.addEventListener('message', ({ data }) => messages.push(data));
  return messages;
};

const closeOf = (socket: WebSocket) =>
  new Promise<string>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => resolve(`${code} ${reason}`), { once: true });
  });

const streamsOf = ({ api, device }: TunnelSite) => api.hub.find(device.id)?.streamCount ?? 0;

describe('a WebSocket', () => {
  test('carries texts and bytes both ways, the subprotocol, and both closes', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const socket = site.socket('/socket', ['echo', 'other']);
    const messages = messagesOf(socket);
    expect(await opened(socket)).toBe(true);
    expect([socket.protocol, socket.extensions]).toEqual(['echo', '']);
    socket.send('grüße');
    socket.send(Uint8Array.of(0, 255, 128));
    socket.send('');
    await until('all came back', () => messages.length === 3);
    expect(messages).toEqual(['grüße', Uint8Array.of(0, 255, 128).buffer, '']);
    const closed = closeOf(socket);
    socket.send('bye');
    expect(await closed).toBe('4000 as asked');
    await until('nothing is left open', () => streamsOf(site) === 0);

    const leaving = site.socket('/socket');
    expect(await opened(leaving)).toBe(true);
    leaving.close(4_001, 'leaving');
    await until('the service hears of it', () => site.service.ended.some((end) => end.includes('4001')));
  });

  test('at the device’s own host as well', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const headers = { ...site.hostHeaders(), origin: `https://${site.hostHeaders()['host']}` };
    const socket = new WebSocket(site.url('/socket').replace('http', 'ws'), { headers });
    const messages = messagesOf(socket);
    expect(await opened(socket)).toBe(true);
    socket.send('hello');
    await until('it came back', () => messages.length === 1);
    expect(site.service.asked[0]?.headers['host']).toBe(site.hostHeaders()['host'] ?? '');
    socket.close();
  });

  test('carries many messages, and large ones, in order', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const socket = site.socket('/socket');
    const messages = messagesOf(socket);
    await opened(socket);
    const sizes = Array.from({ length: 300 }, (_, at) => (at % 10 === 0 ? 1_000_000 : at));
    for (const size of sizes) socket.send(new Uint8Array(size));
    await until('all came back', () => messages.length === sizes.length);
    expect(messages.map((data) => (data as ArrayBuffer).byteLength)).toEqual(sizes);
    socket.close();
  });

  test('larger than it may be closes with 1009', async () => {
    await using site = await tunnelSite({}, { devices: { config: { max_message_bytes: 1_000 } } });
    await using _agent = await site.dial();
    const socket = site.socket('/socket');
    await opened(socket);
    const closed = closeOf(socket);
    socket.send(new Uint8Array(1_001));
    expect(await closed).toStartWith('1009');
    await until('nothing is left open', () => streamsOf(site) === 0);
  });

  test('is one of as many as a session may have; each that closes makes room', async () => {
    await using site = await tunnelSite({}, { devices: { config: { web_sockets_per_session: 2 } } });
    await using _agent = await site.dial();
    const first = site.socket('/socket');
    expect(await opened(first)).toBe(true);
    expect(await opened(site.socket('/socket'))).toBe(true);
    expect(await opened(site.socket('/socket'))).toBe(false);
    first.close();
    await until('there is room again', () => streamsOf(site) === 1);
    expect(await opened(site.socket('/socket'))).toBe(true);
  });

  test('that the service refuses is refused', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    expect(await opened(site.socket('/no-socket'))).toBe(false);
    await until('nothing is left open', () => streamsOf(site) === 0);
  });

  test('whose service is cut off closes with 1011, whose tunnel goes with 1013', async () => {
    await using site = await tunnelSite();
    const agent = await site.dial();
    const cut = site.socket('/socket');
    await opened(cut);
    const closed = closeOf(cut);
    cut.send('cut');
    expect(await closed).toStartWith('1011');
    const lost = site.socket('/socket');
    await opened(lost);
    const gone = closeOf(lost);
    await agent[Symbol.asyncDispose]();
    expect(await gone).toStartWith('1013');
  });

  test('whose visitor vanishes ends at the service', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const socket = site.socket('/socket');
    await opened(socket);
    socket.terminate();
    await until('the service hears of it', () => site.service.ended.length === 1);
    await until('nothing is left open', () => streamsOf(site) === 0);
  });

  test('whose device sends no messages is closed', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial({
      onStream: (stream) => {
        void stream.write(encodeAnswerHead({ status: 101, headers: [] }));
        void stream.write(Buffer.from([99, 0, 0, 0, 1, 0]));
      },
    });
    const socket = site.socket('/socket');
    expect(await closeOf(socket)).toStartWith('1011');
  });

  test('whose device closes with a code that may not be sent is closed all the same', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial({
      onStream: (stream) => {
        void stream.write(encodeAnswerHead({ status: 101, headers: [] }));
        void stream.write(encodeMessage(MessageKind.close, Uint8Array.of(0, 1)));
      },
    });
    expect(await closeOf(site.socket('/socket'))).toStartWith('1011');
  });

  test('to a device that is away, or that a token does not name, is refused before it opens', async () => {
    await using site = await tunnelSite();
    expect(await opened(site.socket('/socket'))).toBe(false);
    await using _agent = await site.dial();
    const headers = { host: 'auth.example.test', authorization: 'Bearer x' };
    expect(await opened(new WebSocket(site.url('/d/x/web/').replace('http', 'ws'), { headers }))).toBe(false);
  });

  test('whose visitor reads nothing holds the service', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const socket = site.socket('/socket');
    await opened(socket);
    const messages = messagesOf(socket);
    socket.pause();
    const sizes = Array.from({ length: 40 }, () => 1_000_000);
    for (const size of sizes) socket.send(new Uint8Array(size));
    const tunnel = site.api.hub.find(site.device.id);
    await until(
      'nothing moves any more',
      steady(() => tunnel?.streams[0]?.stream.stats.bytesIn ?? 0),
    );
    expect(tunnel?.bufferedBytes).toBeLessThan(16 << 20);
    socket.resume();
    await until('all came back', () => messages.length === sizes.length);
    socket.close();
  });
});

/** A TCP service that repeats what it is sent, and one that says something and leaves. */
async function tcpService(onConnection: (socket: Socket) => void): Promise<Server & { port: number }> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return Object.assign(server, { port });
}

const echo = (socket: Socket) => void socket.pipe(socket);

/** What `postern connect` does, by hand: a mux over one WebSocket, streams as connections. */
async function connect({ api, device, token }: TunnelSite, service = 'ssh') {
  const socket = new WebSocket(`ws://127.0.0.1:${api.port}/d/${device.handle}/${service}`, {
    headers: { host: 'auth.example.test', authorization: `Bearer ${token}` },
    protocols: ['postern.tcp.v1'],
  });
  socket.binaryType = 'arraybuffer';
  const ended = Promise.withResolvers<{ code: number }>();
  if (!(await opened(socket))) throw new Error('was not opened');
  const mux = openMux({
    role: 'client',
    clock: systemClock,
    limits: DEFAULT_MUX_LIMITS,
    transport: { send: (frame) => (socket.send(frame), true), close: (code) => socket.close(code) },
    onEnd: ended.resolve,
  });
  socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) =>
    mux.receive(new Uint8Array(data)),
  );
  socket.addEventListener('close', ({ code, reason }) => mux.lost(code, reason));
  const open = (): TunnelStream => {
    const stream = mux.open();
    if (stream === undefined) throw new Error('no stream');
    return stream;
  };
  return { mux, open, ended: ended.promise, socket };
}

interface Heard {
  head: AnswerHead | undefined;
  bytes: number;
  hash: Bun.CryptoHasher;
  outcome: string;
}

function listen(stream: TunnelStream): Heard {
  const heard: Heard = { head: undefined, bytes: 0, hash: new Bun.CryptoHasher('sha256'), outcome: 'open' };
  readHead(stream, decodeAnswerHead, {
    head(head) {
      heard.head = head;
      return {
        data(chunk) {
          heard.bytes += chunk.length;
          heard.hash.update(chunk);
          stream.consumed(chunk.length);
        },
        end: () => {
          heard.outcome = 'ended';
        },
        reset: (reason) => {
          heard.outcome = reason;
        },
      };
    },
    bad: () => {
      heard.outcome = 'bad';
    },
    reset: (reason) => {
      heard.outcome = reason;
    },
  });
  return heard;
}

describe('postern connect', () => {
  test('carries connections both ways, several at a time, and both ends of each', async () => {
    const server = await tcpService(echo);
    await using site = await tunnelSite({ ssh: target(`tcp://127.0.0.1:${server.port}`) });
    await using _agent = await site.dial();
    const client = await connect(site);
    const sent = new Uint8Array(5_000_000).map((_, at) => (at * 7) % 256);
    const sha256 = new Bun.CryptoHasher('sha256').update(sent).digest('hex');
    const all = Array.from({ length: 3 }, () => {
      const stream = client.open();
      const heard = listen(stream);
      void (async () => {
        for (let at = 0; at < sent.length; at += 65_536) await stream.write(sent.subarray(at, at + 65_536));
        stream.finish();
      })();
      return heard;
    });
    await until('all came back', () => all.every(({ outcome }) => outcome === 'ended'));
    for (const { head, bytes, hash } of all) {
      expect([head, bytes, hash.digest('hex')]).toEqual([{ status: 200, headers: [] }, sent.length, sha256]);
    }
    await until('nothing is left open', () => streamsOf(site) === 0);
    client.socket.close();
    server.close();
  });

  test('tells that nothing listens there, and that there is no such service', async () => {
    await using site = await tunnelSite({ ssh: target('tcp://127.0.0.1:1') });
    await using _agent = await site.dial();
    const client = await connect(site);
    const heard = listen(client.open());
    client.mux.streams.get(1)?.finish();
    await until('it was told', () => heard.outcome !== 'open');
    expect(heard.head).toEqual({ refused: 'service_unreachable' });
    const other = await connect(site, 'gone');
    const none = listen(other.open());
    other.mux.streams.get(1)?.finish();
    await until('it was told', () => none.outcome !== 'open');
    expect(none.head).toEqual({ refused: 'unknown_service' });
    client.socket.close();
    other.socket.close();
  });

  test('tells that as many are open as may be, or that the device has gone, and lets go of what was sent', async () => {
    const server = await tcpService(echo);
    const services = { ssh: target(`tcp://127.0.0.1:${server.port}`) };
    await using site = await tunnelSite(services, { devices: { config: { opens_per_second: 1 } } });
    const agent = await site.dial();
    const clients = await Promise.all(Array.from({ length: 3 }, () => connect(site)));
    const talk = (at: number) => {
      const stream = clients[at]?.open() ?? expect.unreachable();
      void stream.write(new Uint8Array(50_000));
      stream.finish();
      return listen(stream);
    };
    const first = talk(0);
    await until('it was answered', () => first.outcome === 'ended');
    const second = talk(1);
    await until('it was answered', () => second.outcome === 'ended');
    expect([first.head, first.bytes, second.head]).toEqual([
      { status: 200, headers: [] },
      50_000,
      { refused: 'busy' },
    ]);
    await agent[Symbol.asyncDispose]();
    await until('the device has gone', () => site.api.hub.find(site.device.id) === undefined);
    const third = talk(2);
    await until('it was answered', () => third.outcome === 'ended');
    expect(third.head).toEqual({ refused: 'service_unreachable' });
    await until('nothing is left open', () => clients.every(({ mux }) => mux.streams.size === 0));
    for (const { socket } of clients) socket.close();
    server.close();
  });

  test('a slow reader holds the service at little memory', async () => {
    const server = await tcpService((socket) => {
      const piece = new Uint8Array(65_536);
      const pour = () => {
        while (socket.write(piece));
        socket.once('drain', pour);
      };
      socket.on('error', () => undefined);
      pour();
    });
    await using site = await tunnelSite({ ssh: target(`tcp://127.0.0.1:${server.port}`) });
    await using _agent = await site.dial();
    const client = await connect(site);
    const stream = client.open();
    let received = 0;
    stream.read({
      data: ({ length }) => void (received += length),
      end: () => undefined,
      reset: () => undefined,
    });
    void stream.write(Buffer.from('go'));
    await until('something came', () => received > 0);
    await until(
      'nothing moves any more',
      steady(() => received),
    );
    expect(received).toBeLessThan(1 << 20);
    expect(site.api.hub.find(site.device.id)?.bufferedBytes).toBeLessThan(8 << 20);
    stream.reset();
    await until('nothing is left open', () => streamsOf(site) === 0);
    client.socket.close();
    server.close();
  });

  test('needs a token, the device, and the subprotocol', async () => {
    await using site = await tunnelSite({ ssh: target('tcp://127.0.0.1:1') });
    expect(connect(site)).rejects.toThrow('was not opened');
    await using _agent = await site.dial();
    expect(connect({ ...site, token: site.device.token })).rejects.toThrow('was not opened');
    expect(connect(site, 'other')).rejects.toThrow('was not opened');
    expect(await codeOf(await site.go('/../ssh'))).toBe('404 unknown_service');
  });

  test('ends with the token', async () => {
    const server = await tcpService(echo);
    await using site = await tunnelSite({ ssh: target(`tcp://127.0.0.1:${server.port}`) });
    await using _agent = await site.dial();
    const client = await connect(site);
    const heard = listen(client.open());
    void client.mux.streams.get(1)?.write(Buffer.from('hello'));
    await until('it is under way', () => heard.bytes === 5);
    const { tokens } = (await (
      await site.api.call('/api/v1/tokens', { cookie: site.owner.token })
    ).json()) as { tokens: { id: string }[] };
    await site.api.call(`/api/v1/tokens/${tokens[0]?.id}`, { method: 'DELETE', cookie: site.owner.token });
    expect(await client.ended).toMatchObject({ code: 4401 });
    await until('nothing is left open', () => streamsOf(site) === 0);
    server.close();
  });
});
