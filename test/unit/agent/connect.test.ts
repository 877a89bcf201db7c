import { expect, test } from 'bun:test';
import { connector } from '../../../src/agent/connect.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { encodeAnswerHead } from '../../../src/tunnel/heads.ts';
import { DEFAULT_MUX_LIMITS, type Mux } from '../../../src/tunnel/model.ts';
import { openMux } from '../../../src/tunnel/mux.ts';
import { errorOf } from '../../support/error-of.ts';
import { until } from '../../support/until.ts';

/** A server behind which no service can be reached. */
function refusingServer() {
  const muxes: Mux[] = [];
  const server = Bun.serve<{ mux?: Mux }>({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request, server) {
      const headers = { 'sec-websocket-protocol': 'postern.tcp.v1' };
      return server.upgrade(request, { data: {}, headers }) ? undefined : new Response('no', { status: 404 });
    },
    websocket: {
      open(socket) {
        socket.data.mux = openMux({
          role: 'server',
          transport: {
            send: (frame) => socket.sendBinary(frame.slice()) > 0,
            close: (code, reason) => socket.close(code, reason),
          },
          clock: systemClock,
          limits: DEFAULT_MUX_LIMITS,
          onStream(stream) {
            void stream.write(encodeAnswerHead({ refused: 'service_unreachable' }));
            stream.finish();
          },
          onEnd: () => undefined,
        });
        muxes.push(socket.data.mux);
      },
      message: ({ data }, message) => data.mux?.receive(message),
      drain: ({ data }) => data.mux?.drained(),
      close: ({ data }, code, reason) => data.mux?.lost(code, reason),
    },
  });
  return {
    origin: `http://127.0.0.1:${server.port}`,
    muxes,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

test('connections that were refused leave nothing open on their line', async () => {
  await using server = refusingServer();
  using line = connector({
    server: server.origin,
    device: 'pi',
    service: 'ssh',
    token: 'secret',
    ca: undefined,
    clock: systemClock,
  });
  let over = 0;
  for (let tries = 0; tries < 3; tries++) {
    expect(await errorOf(line.open(() => void over++))).toMatchObject({ message: 'service_unreachable' });
  }
  expect([over, server.muxes.length]).toEqual([3, 1]);
  await until('nothing is left', () => server.muxes.every(({ streams }) => streams.size === 0));
});
