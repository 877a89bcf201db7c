import { describe, expect, test } from 'bun:test';
import { agentStreams, httpHead, target } from '../../support/agent-stream.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/until.ts';

/** Below what a reader is given before it says that it consumed any of it. */
const EARLY_BYTES = 100_000;
const PIECE = new Uint8Array(16_384);

type Streams = ReturnType<typeof agentStreams>;

const nothingIsLeft = ({ agent, hub }: Streams) =>
  until('nothing is left of the stream', () => agent.mux.streams.size === 0 && hub.mux.streams.size === 0);

const expectNothingHeld = ({ agent, hub }: Streams) =>
  expect([agent.mux.bufferedBytes, hub.mux.bufferedBytes]).toEqual([0, 0]);

/** Reads nothing until it is told to, and then everything. */
function lateReader() {
  let sockets: Bun.Socket[] = [];
  let received = 0;
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        socket.pause();
        sockets.push(socket);
      },
      data: (_, chunk) => void (received += chunk.length),
      end: (socket) => void socket.end(),
    },
  });
  return {
    port: server.port,
    received: () => received,
    read() {
      for (const socket of sockets) socket.resume();
      sockets = [];
    },
    [Symbol.dispose]: () => server.stop(true),
  };
}

describe('what a visitor sent is let go of', () => {
  test.each(['http', 'tcp'] as const)('when nobody listens at the service: %s', async (kind) => {
    const address = `${kind}://127.0.0.1:${freePort()}`;
    using streams = agentStreams({ services: { web: target(address) } });
    const { stream, answer } = streams.open(
      kind === 'tcp' ? { kind, service: 'web' } : httpHead({ method: 'POST' }),
    );
    void stream.write(new Uint8Array(EARLY_BYTES));
    stream.finish();
    const { head, heard } = await answer;
    await heard.done.promise;
    expect(head).toEqual({ refused: 'service_unreachable' });
    await nothingIsLeft(streams);
    expectNothingHeld(streams);
  });

  test('when the service reads the last of it after the visitor has finished', async () => {
    using service = lateReader();
    using streams = agentStreams({ services: { ssh: target(`tcp://127.0.0.1:${service.port}`) } });
    const { stream, answer } = streams.open({ kind: 'tcp', service: 'ssh' });
    await answer;
    let sent = 0;
    await until('the service holds the visitor', async () => {
      for (let pieces = 0; pieces < 64 && streams.agent.mux.bufferedBytes === 0; pieces++) {
        await stream.write(PIECE);
        sent += PIECE.length;
        await new Promise(setImmediate);
      }
      return streams.agent.mux.bufferedBytes > 0;
    });
    stream.finish();
    await until('the agent has all of it', () => streams.hub.mux.bufferedBytes === 0);
    service.read();
    await until('all of it arrives', () => service.received() === sent);
    await nothingIsLeft(streams);
    expectNothingHeld(streams);
  });
});
