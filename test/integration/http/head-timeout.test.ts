import { expect, test } from 'bun:test';
import { connect } from 'node:net';
import { newRoutes, SERVED_HOST, temporaryServer } from '../../support/http-server.ts';
import { rawHead } from '../../support/raw-http.ts';

/** The runtime's own timers: 10 s for the first head, looked at every 4 s. */
const SLOWEST_MS = 15_000;

/** Sends `begin`, then a byte now and then; resolves with what came once the server has closed. */
function dribble(port: number, begin: string, everyMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(begin));
    const drip = setInterval(() => socket.write('a'), everyMs);
    const giveUp = setTimeout(() => reject(new Error('the server waits for ever')), SLOWEST_MS);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(drip);
      clearTimeout(giveUp);
      resolve(text);
    });
  });
}

test(
  'a head that does not come to its end is cut, whatever trickles in',
  async () => {
    await using server = temporaryServer(
      (router) => router.use(newRoutes().get('/', () => new Response('hello'))),
      {
        limits: { maxBodyBytes: 1_000, headTimeoutMs: 1_000, drainTimeoutMs: 1_000 },
      },
    );
    const half = `GET / HTTP/1.1\r\nHost: ${SERVED_HOST}\r\nX: `;
    const whole = rawHead('GET / HTTP/1.1', `Host: ${SERVED_HOST}`).replace('Connection: close\r\n', '');
    const [nothing, silent, dripping, later] = await Promise.all([
      dribble(server.port, '', SLOWEST_MS),
      dribble(server.port, half, SLOWEST_MS),
      dribble(server.port, half, 1_000),
      dribble(server.port, whole + half, 1_000),
    ]);
    expect([nothing, silent, dripping]).toEqual(['', '', '']);
    expect(later.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
  },
  2 * SLOWEST_MS,
);
