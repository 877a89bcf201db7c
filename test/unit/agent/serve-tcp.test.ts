import { describe, expect, test } from 'bun:test';
import { encodeRequestHead } from '../../../src/tunnel/heads.ts';
import { agentStreams, target } from '../../support/agent-stream.ts';
import { freePort } from '../../support/free-port.ts';
import { rawService } from '../../support/raw-service.ts';
import { until } from '../../support/until.ts';

const HEAD = { kind: 'tcp', service: 'ssh' } as const;

function bytes(service: { port: number }, limits = {}) {
  return agentStreams({ services: { ssh: target(`tcp://127.0.0.1:${service.port}`) }, limits });
}

describe('a service of bytes', () => {
  test('what came before the connection stood arrives first', async () => {
    using service = rawService((text) => (text.endsWith('!') ? `heard ${text}` : undefined));
    using streams = bytes(service);
    const { stream, answer } = streams.open(HEAD);
    for (const piece of ['a', 'b', 'c', '!']) void stream.write(Buffer.from(piece));
    const { head, heard } = await answer;
    await until('it answers', () => heard.text() === 'heard abc!');
    expect(head).toEqual({ status: 200, headers: [] });
    stream.reset();
    await until('the connection is gone', () => service.open === 0);
  });

  test('each side closes on its own: the visitor first', async () => {
    const service = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      allowHalfOpen: true,
      socket: { data: () => undefined, end: (socket) => void socket.end('last words') },
    });
    using streams = bytes(service);
    const { stream, answer } = streams.open(HEAD);
    stream.finish();
    const { heard } = await answer;
    await heard.done.promise;
    expect([heard.text(), heard.outcome]).toEqual(['last words', 'ended']);
    await until('nothing is left', () => streams.agent.mux.streams.size === 0);
    service.stop(true);
  });

  test('each side closes on its own: the service first', async () => {
    let received = '';
    const service = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      allowHalfOpen: true,
      socket: {
        open(socket) {
          socket.write('banner');
          socket.shutdown();
        },
        data: (_, chunk) => void (received += chunk.toString()),
      },
    });
    using streams = bytes(service);
    const { stream, answer } = streams.open(HEAD);
    const { heard } = await answer;
    await heard.done.promise;
    expect([heard.text(), heard.outcome]).toEqual(['banner', 'ended']);
    void stream.write(Buffer.from('still'));
    stream.finish();
    await until('it arrives', () => received === 'still');
    await until('nothing is left', () => streams.agent.mux.streams.size === 0);
    service.stop(true);
  });

  test('a service that breaks off is no service that has finished', async () => {
    using service = rawService((_, socket) => {
      socket.terminate();
      return undefined;
    });
    using streams = bytes(service);
    const { stream, answer } = streams.open(HEAD);
    const { heard } = await answer;
    void stream.write(Buffer.from('x'));
    await heard.done.promise;
    expect(heard.outcome).toBe('remote');
  });

  test.each(['web', 'ssh'])('one that is not there: %s', async (service) => {
    using streams = agentStreams({ services: { ssh: target(`tcp://127.0.0.1:${freePort()}`) } });
    const { head } = await streams.open({ kind: 'tcp', service }).answer;
    expect(head).toEqual({ refused: service === 'ssh' ? 'service_unreachable' : 'unknown_service' });
  });

  test('HTTP services are not for bytes', async () => {
    using service = rawService(() => 'x');
    using streams = agentStreams({ services: { ssh: target(service.url) } });
    expect((await streams.open(HEAD).answer).head).toEqual({ refused: 'unknown_service' });
    expect(service.received).toEqual([]);
  });

  test('there are only so many connections, and each that ends makes room', async () => {
    using service = rawService(() => undefined);
    using streams = bytes(service, { connections_per_service: 2 });
    const first = streams.open(HEAD);
    await Promise.all([first.answer, streams.open(HEAD).answer]);
    expect((await streams.open(HEAD).answer).head).toEqual({ refused: 'busy' });
    first.stream.reset();
    await until('it is gone', () => service.open === 1);
    expect((await streams.open(HEAD).answer).head).toMatchObject({ status: 200 });
  });

  test('the end of the tunnel ends every connection', async () => {
    using service = rawService(() => undefined);
    using streams = bytes(service);
    await Promise.all(Array.from({ length: 20 }, () => streams.open(HEAD).answer));
    expect(service.open).toBe(20);
    streams.hub.mux.end(1000, 'gone');
    await until('all are gone', () => service.open === 0);
  });

  test('a head with an address in it is refused', async () => {
    using service = rawService(() => 'x');
    using streams = bytes(service);
    const stream = streams.hub.mux.open();
    const text = JSON.stringify({ ...HEAD, target: `tcp://127.0.0.1:${service.port}` });
    const head = Buffer.concat([Buffer.alloc(4), Buffer.from(text)]);
    head.writeUInt32BE(text.length);
    void stream?.write(head);
    await until('it is refused', () => streams.log.lines.some(({ message }) => message.includes('no head')));
    expect(service.received).toEqual([]);
    expect(encodeRequestHead(HEAD).length).toBeLessThan(head.length);
  });
});
