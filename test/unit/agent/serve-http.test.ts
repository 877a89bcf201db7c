import { describe, expect, test } from 'bun:test';
import { agentStreams, httpHead, target } from '../../support/agent-stream.ts';
import { errorOf } from '../../support/error-of.ts';
import { freePort } from '../../support/free-port.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { type RawService, rawService } from '../../support/raw-service.ts';
import { steady, until } from '../../support/until.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const web = (service: RawService, limits = {}) =>
  agentStreams({ services: { web: target(service.url) }, limits });
/** Whether all of a request has arrived. */
const isWhole = (text: string) => text.endsWith('\r\n\r\n') || text.endsWith('0\r\n\r\n');

describe('what a service is asked', () => {
  test('the request as the visitor made it, under the name that the visitor asked for', async () => {
    using service = rawService((text) => (isWhole(text) ? OK : undefined));
    using streams = web(service);
    const { head, heard } = await streams.request({
      target: '/a//b/%2e%2e/c?x=%zz&y',
      headers: [
        ['accept', 'text/html'],
        ['cookie', 'a=1'],
        ['cookie', 'b=2'],
        ['x-name', 'J\u00f6rg'],
      ],
    });
    expect(service.received).toEqual([
      'GET /a//b/%2e%2e/c?x=%zz&y HTTP/1.1\r\nhost: web--pi.devices.example.org\r\naccept: text/html\r\ncookie: a=1\r\ncookie: b=2\r\nx-name: J\u00f6rg\r\nx-forwarded-proto: https\r\nx-forwarded-host: web--pi.devices.example.org\r\n\r\n',
    ]);
    expect(head).toEqual({ status: 200, headers: [['content-length', '2']] });
    expect([heard.text(), heard.outcome]).toEqual(['ok', 'ended']);
  });

  test('under another name where the configuration says so', async () => {
    using service = rawService((text) => (isWhole(text) ? OK : undefined));
    using streams = agentStreams({ services: { web: target(service.url, { host: 'nas.lan:5000' }) } });
    await streams.request({});
    expect(service.received[0]).toContain('\r\nhost: nas.lan:5000\r\n');
  });

  test.each(['REPORT', 'PURGE', 'M-SEARCH'])('the method %s stays what it is', async (method) => {
    using service = rawService((text) => (isWhole(text) ? OK : undefined));
    using streams = web(service);
    await streams.request({ method });
    expect(service.received[0]).toStartWith(`${method} / HTTP/1.1\r\n`);
    expect(service.received[0]).toContain('\r\ncontent-length: 0\r\n');
  });

  test('a body with its length, and one without, in chunks', async () => {
    using service = rawService((text) => (/hello$|0\r\n\r\n$/.test(text) ? OK : undefined));
    using streams = web(service);
    await streams.request({ method: 'POST', headers: [['content-length', '5']] }, 'hello');
    await streams.request({ method: 'POST' }, 'hello');
    const all = service.received.join('');
    expect(all).toContain('content-length: 5\r\n\r\nhello');
    expect(all).toContain('transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
  });

  test('fields of this hop are written here, whatever was sent', async () => {
    using service = rawService((text) => (isWhole(text) ? OK : undefined));
    using streams = web(service);
    await streams.request({
      headers: [
        ['host', 'evil.example'],
        ['expect', '100-continue'],
        ['x-forwarded-proto', 'http'],
      ],
    });
    const [asked = ''] = service.received;
    expect(asked).not.toContain('evil');
    expect(asked).not.toContain('expect');
    expect(asked.match(/x-forwarded-proto/g)).toHaveLength(1);
  });
});

describe('what would be a second request in the first', () => {
  test('a body longer than its length is cut off, and so is the connection', async () => {
    using service = rawService(() => undefined);
    using streams = web(service);
    const { stream, answer } = streams.open(httpHead({ method: 'POST', headers: [['content-length', '4']] }));
    void stream.write(Buffer.from('bodyGET /admin HTTP/1.1\r\n\r\n'));
    expect(await errorOf(answer)).toMatchObject({ message: 'reset before the answer: remote' });
    await until('the connection is gone', () => service.open === 0);
    expect(service.received.join('')).not.toContain('admin');
  });

  test('a body that ends before its length is cut off', async () => {
    using service = rawService(() => undefined);
    using streams = web(service);
    const { stream, answer } = streams.open(
      httpHead({ method: 'POST', headers: [['content-length', '40']] }),
    );
    void stream.write(Buffer.from('half'));
    stream.finish();
    expect(await errorOf(answer)).toMatchObject({ message: 'reset before the answer: remote' });
  });

  test.each([
    [
      'two lengths',
      [
        ['content-length', '4'],
        ['content-length', '4'],
      ],
    ],
    ['a list of lengths', [['content-length', '4, 4']]],
    ['a signed length', [['content-length', '+4']]],
  ] as const)('%s are refused', async (_what, headers) => {
    using service = rawService(() => OK);
    using streams = web(service);
    const { head } = await streams.request({ method: 'POST', headers }, 'body');
    expect(head).toEqual({ refused: 'bad_request' });
    expect(service.received).toEqual([]);
  });
});

describe('what comes back', () => {
  const answered = async (answer: string, head = {}) => {
    using service = rawService((text, socket) => {
      if (!isWhole(text)) return undefined;
      socket.write(Buffer.from(answer, 'latin1'));
      socket.end();
      return undefined;
    });
    using streams = web(service);
    const { head: read, heard } = await streams.request(head);
    return { head: read, text: heard.text(), outcome: heard.outcome };
  };

  test.each([
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc', 'abc'],
    [
      'chunks, with extensions and trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n2\r\nbc\r\n0\r\nx: y\r\n\r\n',
      'abc',
    ],
    ['the end of the connection', 'HTTP/1.1 200 OK\r\n\r\nabc', 'abc'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nabc', 'abc'],
    [
      'interim answers first',
      'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na',
      'a',
    ],
    ['no reason phrase', 'HTTP/1.1 200\r\ncontent-length: 1\r\n\r\na', 'a'],
  ])('a body by %s', async (_what, answer, text) => {
    expect(await answered(answer)).toMatchObject({ head: { status: 200 }, text, outcome: 'ended' });
  });

  test('no body where there is none, whatever the head says', async () => {
    expect(await answered('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n', { method: 'HEAD' })).toEqual({
      head: { status: 200, headers: [['content-length', '10']] },
      text: '',
      outcome: 'ended',
    });
    expect(await answered('HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n')).toMatchObject({
      head: { status: 304 },
      outcome: 'ended',
    });
  });

  test('headers of the connection stay here, each other line goes on', async () => {
    const { head } = await answered(
      'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: close, X-Own\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\nContent-Length: 99\r\nServer: \u00e4\r\n\r\n0\r\n\r\n',
    );
    expect(head).toEqual({
      status: 200,
      headers: [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['server', '\u00e4'],
      ],
    });
  });

  test.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n'],
    ['a blank before the colon', 'HTTP/1.1 200 OK\r\nx : a\r\n\r\n'],
    ['a NUL in a value', 'HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n'],
    ['lengths that disagree', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na'],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\na'],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\na'],
    ['a protocol that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'],
    ['a status out of bounds', 'HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n'],
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\nx:'],
    ['too long a head', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(70_000)}\r\n\r\n`],
    ['a head that is too long once written down', `HTTP/1.1 200 OK\r\nx: ${'\u00e4'.repeat(40_000)}\r\n\r\n`],
    ['too many fields', `HTTP/1.1 200 OK\r\n${'x: a\r\n'.repeat(300)}\r\n`],
  ])('a service that says %s has failed', async (_what, answer) => {
    expect((await answered(answer)).head).toEqual({ refused: 'service_failed' });
  });

  test.each([
    ['a length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'],
    ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('half of a body by %s is no whole: the stream is cut', async (_what, answer) => {
    const { head, outcome } = await answered(answer);
    expect(head).toMatchObject({ status: 200 });
    expect(outcome).toBe('remote');
  });
});

describe('chunks that are none', () => {
  test.each([
    ['a chunk of no size', 'zz\r\nabc\r\n'],
    ['a negative size', '-1\r\nabc\r\n'],
    ['a chunk without its end', '3\r\nabcd\r\n'],
    ['a size without an end', `1;${'x'.repeat(5_000)}`],
    ['trailers without an end', `0\r\n${'x: y\r\n'.repeat(100)}`],
  ])('%s: the stream is cut', async (_what, body) => {
    using service = rawService((text) =>
      isWhole(text) ? `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body}` : undefined,
    );
    using streams = web(service);
    const { stream, answer } = streams.open(httpHead());
    stream.finish();
    // Head and body may come in one piece: then nothing of it is told.
    expect(await errorOf(answer)).toMatchObject({ message: 'reset before the answer: remote' });
    await until('the connection is gone', () => service.open === 0);
  });
});

describe('connections', () => {
  test('are used again', async () => {
    using service = rawService((text) => (isWhole(text) ? OK : undefined));
    using streams = web(service);
    for (let round = 0; round < 5; round++) await streams.request({ target: `/${round}` });
    expect(service.received).toHaveLength(1);
  });

  test('one whose answer could not be carried is not used again', async () => {
    using service = rawService((text) =>
      isWhole(text) ? (text.includes('GET /bad') ? OK.replace('200', '999') : OK) : undefined,
    );
    using streams = web(service);
    expect((await streams.request({ target: '/bad' })).head).toEqual({ refused: 'service_failed' });
    expect((await streams.request({ target: '/good' })).head).toMatchObject({ status: 200 });
    expect(service.received).toHaveLength(2);
  });

  test('one that the service closed meanwhile is no reason to fail', async () => {
    let answers = 0;
    using service = rawService((text, socket) => {
      if (!isWhole(text)) return undefined;
      // The second request of a connection finds it closed.
      if (text.split('GET ').length > 2) socket.terminate();
      answers++;
      return OK;
    });
    using streams = web(service);
    for (let round = 0; round < 4; round++) {
      const { head } = await streams.request({ target: `/${round}` });
      expect(head).toMatchObject({ status: 200 });
    }
    expect(answers).toBeGreaterThan(4);
  });

  test('a request that must not be sent twice is not', async () => {
    using service = rawService((text, socket) => {
      if (!isWhole(text)) return undefined;
      if (text.split(' HTTP/1.1').length > 2) socket.terminate();
      return OK;
    });
    using streams = web(service);
    await streams.request({});
    const { head } = await streams.request({ method: 'POST' });
    expect(head).toEqual({ refused: 'service_failed' });
    expect(service.received.join('').match(/POST/g)).toHaveLength(1);
  });

  test('one that answered before it had read everything is not used again', async () => {
    using service = rawService((text) => (text.includes('\r\n\r\n') ? OK : undefined));
    using streams = web(service);
    const { stream, answer } = streams.open(httpHead({ method: 'POST', headers: [['content-length', '9']] }));
    const { heard } = await answer;
    await heard.done.promise;
    void stream.write(Buffer.from('late body'));
    stream.finish();
    await streams.request({});
    expect(service.received).toHaveLength(2);
  });

  test('there are only so many', async () => {
    using service = rawService(() => undefined);
    using streams = web(service, { connections_per_service: 2 });
    for (let each = 0; each < 2; each++) streams.open(httpHead()).stream.finish();
    const { head } = await streams.request({});
    expect(head).toEqual({ refused: 'busy' });
  });

  test('end with the visitor', async () => {
    using service = rawService(() => undefined);
    using streams = web(service);
    const { stream } = streams.open(httpHead());
    stream.finish();
    await until('the service is asked', () => service.received.length === 1);
    stream.reset();
    await until('the connection is gone', () => service.open === 0);
  });
});

describe('services that are not there', () => {
  test('nobody listens', async () => {
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${freePort()}`) } });
    expect((await streams.request({})).head).toEqual({ refused: 'service_unreachable' });
    expect(streams.server.records.get('web')).toEqual({
      requests: 1,
      refused: 1,
      lastRefusal: 'service_unreachable',
    });
  });

  test('nothing comes back in time', async () => {
    using service = rawService(() => undefined);
    using streams = web(service, { head_timeout: 50 });
    expect((await streams.request({})).head).toEqual({ refused: 'service_timeout' });
    await until('the connection is gone', () => service.open === 0);
  });

  test('a body that takes its time is no service that does', async () => {
    const clock = new ManualClock();
    using service = rawService((text) => (text.endsWith('xxx') ? OK : undefined));
    using streams = agentStreams({
      services: { web: target(service.url) },
      limits: { head_timeout: 60_000 },
      clock,
    });
    const { stream, answer } = streams.open(httpHead({ method: 'PUT', headers: [['content-length', '3']] }));
    for (const sent of [1, 2, 3]) {
      void stream.write(Buffer.from('x'));
      await until('it arrives', () => service.received[0]?.endsWith('x'.repeat(sent)) === true);
      await clock.advance(59_000);
    }
    expect((await answer).head).toMatchObject({ status: 200 });
  });

  test('a body that stops half-way is given up', async () => {
    const clock = new ManualClock();
    using service = rawService(() => undefined);
    using streams = agentStreams({
      services: { web: target(service.url) },
      limits: { head_timeout: 60_000 },
      clock,
    });
    const { stream, answer } = streams.open(httpHead({ method: 'PUT', headers: [['content-length', '3']] }));
    void stream.write(Buffer.from('x'));
    await until('it arrives', () => service.received[0]?.endsWith('x') === true);
    await clock.advance(120_000);
    expect((await answer).head).toEqual({ refused: 'service_timeout' });
  });

  test.each([
    ['a name that is not in the list', { service: 'admin' }],
    ['HTTP to a service of bytes', { service: 'ssh' }],
    ['a WebSocket to a service of bytes', { service: 'ssh', kind: 'websocket' }],
  ] as const)('%s', async (_what, head) => {
    using service = rawService(() => OK);
    using streams = agentStreams({ services: { ssh: target(`tcp://127.0.0.1:${service.port}`) } });
    expect((await streams.request(head)).head).toEqual({ refused: 'unknown_service' });
    expect(service.received).toEqual([]);
  });

  test('what is no head is refused', async () => {
    using service = rawService(() => OK);
    using streams = web(service);
    const other = streams.hub.mux.open();
    void other?.write(Buffer.from('\0\0\0\u0002[]GET / HTTP/1.1'));
    await until('it is refused', () => streams.log.lines.some(({ message }) => message.includes('no head')));
  });
});

describe('flow', () => {
  test('a visitor that does not read holds the service back', async () => {
    const piece = new Uint8Array(65_536);
    let sent = 0;
    using service = rawService((text, socket) => {
      if (!isWhole(text)) return undefined;
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const more = () => {
        for (;;) {
          const wrote = socket.write(piece);
          sent += Math.max(0, wrote);
          if (wrote < piece.length) break;
        }
      };
      more();
      socket.reload({ socket: { data: () => undefined, drain: more } });
      return undefined;
    });
    using streams = web(service);
    const { stream, answer } = streams.open(httpHead(), { hold: true });
    stream.finish();
    const { heard } = await answer;
    // Settles: the window is full, and then the buffers of the system.
    await until(
      'the service is held',
      steady(() => sent),
    );
    expect(heard.bytes).toBeLessThanOrEqual(4 * 1_048_576);
    expect(streams.agent.mux.bufferedBytes).toBeLessThan(16 * 1_048_576);
    stream.reset();
  });

  test('100 MiB there and back arrive as they were', async () => {
    const service = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      maxRequestBodySize: 1_073_741_824,
      fetch: ({ body }) => new Response(body),
    });
    using streams = agentStreams({ services: { web: target(`http://127.0.0.1:${service.port}`) } });
    const block = crypto.getRandomValues(new Uint8Array(65_536));
    const blocks = 1_600;
    const { stream, answer } = streams.open(httpHead({ method: 'POST' }));
    const sent = new Bun.SHA256();
    const sending = (async () => {
      for (let at = 0; at < blocks; at++) {
        sent.update(block);
        await stream.write(block.slice());
      }
      stream.finish();
    })();
    const { heard } = await answer;
    await Promise.all([sending, heard.done.promise]);
    const got = new Bun.SHA256();
    for (const chunk of heard.chunks) got.update(chunk);
    expect(heard.bytes).toBe(blocks * block.length);
    expect(got.digest('hex')).toBe(sent.digest('hex'));
    await service.stop(true);
  });
});
