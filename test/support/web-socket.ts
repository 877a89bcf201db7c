import { connect } from 'node:tls';
import type { Mapping } from './mapped-browser.ts';

/** What came of an attempt to open a WebSocket. */
export type SocketOutcome = { opened: true; messages: string[] } | { opened: false; status: number };

const GIVE_UP_MS = 10_000;
const TEXT_FRAME = 0x81;
const MASKED = 0x80;

/**
 * Opens a WebSocket with these headers, waits for a message, sends `ping` and waits for the next message.
 * By hand: clients do not let a test choose `Origin`, nor see the status of a refusal (RFC 6455 sections 4.1 and 5.2).
 */
export function openSocket(
  { port, ca }: Required<Mapping>,
  url: URL,
  headers: Readonly<Record<string, string>>,
): Promise<SocketOutcome> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect({ host: '127.0.0.1', port, ca, servername: url.hostname }, () => {
      socket.write(handshake(url, headers));
    });
    let pinged = false;
    const finish = (outcome: SocketOutcome) => {
      resolve(outcome);
      socket.destroy();
    };
    socket.setTimeout(GIVE_UP_MS, () => socket.destroy(new Error('the socket said nothing')));
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const headEnd = received.indexOf('\r\n\r\n');
      if (headEnd === -1) return;
      const status = Number(received.toString('latin1').split(' ')[1]);
      if (status !== 101) return finish({ opened: false, status });
      const messages = messagesOf(received.subarray(headEnd + 4));
      if (messages.length > 0 && !pinged) {
        pinged = true;
        socket.write(textFrame('ping'));
      }
      if (messages.length > 1) finish({ opened: true, messages });
    });
  });
}

function handshake(url: URL, headers: Readonly<Record<string, string>>): string {
  const own = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [
    `GET ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64')}`,
    ...own,
    '',
    '',
  ].join('\r\n');
}

/** Short text messages, one frame each. */
function messagesOf(frames: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at + 2 <= frames.length; ) {
    const length = frames[at + 1] ?? 0;
    if (at + 2 + length > frames.length) break;
    messages.push(frames.toString('utf8', at + 2, at + 2 + length));
    at += 2 + length;
  }
  return messages;
}

/** A mask of zeros is a mask too. */
function textFrame(text: string): Buffer {
  const body = Buffer.from(text);
  return Buffer.concat([Buffer.from([TEXT_FRAME, MASKED | body.length, 0, 0, 0, 0]), body]);
}
