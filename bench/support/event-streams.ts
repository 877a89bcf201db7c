import { APPLIANCE_ORIGIN } from './seed.ts';

/** An open event stream of one session. */
export interface OpenStream {
  /** When its last byte came, on the clock of `performance.now()`. */
  readonly ended: Promise<number>;
}

/** What closes a body sent in chunks (RFC 9112 section 7.1). */
const LAST_CHUNK = '0\r\n\r\n';

/** Opens `/api/v1/sessions/events` over a plain socket: `fetch` holds only a few hundred requests at a time. */
export function openEventStream(origin: string, token: string): Promise<OpenStream> {
  const { hostname, port } = new URL(origin);
  const ended = Promise.withResolvers<number>();
  return new Promise((resolve, reject) => {
    let received = '';
    const onData = (chunk: Uint8Array) => {
      received = (received + Buffer.from(chunk).toString('latin1')).slice(-4_096);
      if (received.endsWith(LAST_CHUNK)) ended.resolve(performance.now());
      if (received.startsWith('HTTP/1.1 200')) resolve({ ended: ended.promise });
      else if (received.length > 12) reject(new Error(received.slice(0, 400)));
    };
    const socket = {
      open(opened: { write: (text: string) => number }) {
        opened.write(requestText(token));
      },
      data: (_socket: unknown, chunk: Uint8Array) => onData(chunk),
      close: () => ended.resolve(performance.now()),
      error: (_socket: unknown, error: Error) => reject(error),
    };
    Bun.connect({ hostname, port: Number(port), socket }).catch(reject);
  });
}

function requestText(token: string): string {
  const { host } = new URL(APPLIANCE_ORIGIN);
  return `GET /api/v1/sessions/events HTTP/1.1\r\nHost: ${host}\r\nCookie: __Host-postern=${token}\r\n\r\n`;
}
