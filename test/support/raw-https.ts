import { connect } from 'node:tls';
import type { Mapping } from './mapped-browser.ts';

/** Longest wait for an answer, in milliseconds. */
const GIVE_UP_MS = 10_000;

/** Sends a request head over TLS letter for letter, as no client would, and reads the status; 0 when there was none. */
export function rawHttps(
  { port, ca }: Required<Mapping>,
  servername: string,
  requestLine: string,
  ...headers: readonly string[]
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', port, ca, servername }, () => {
      socket.write([requestLine, ...headers, 'Connection: close', '', ''].join('\r\n'), 'latin1');
    });
    socket.setTimeout(GIVE_UP_MS, () => socket.destroy(new Error('the server neither answered nor closed')));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve({ status: Number(text.split(' ')[1] ?? 0), text }));
  });
}
