import { type Clock, sleep } from '../lib/clock.ts';
import { FIRST_RECONNECT_MS } from './constants.ts';
import { readEvents } from './event-stream.ts';
import type { RemoteRequests } from './remote-requests.ts';

/** Further tries to take up the answer to one request where its stream broke. */
const MAX_RESUMES = 5;

export interface EventsOptions {
  requests: RemoteRequests;
  maxBytes: number;
  clock: Clock;
  signal: AbortSignal;
  /** Takes a message of the stream; `true`: it was the answer. */
  take: (message: unknown) => boolean;
}

/**
 * Reads a stream until the answer has come; `false`: there is none in it. One that broke before is taken up where it broke,
 * if the server numbers its events.
 */
export async function readAnswerFromEvents(
  first: ReadableStream<Uint8Array>,
  options: EventsOptions,
): Promise<boolean> {
  const { requests, clock, signal } = options;
  let body: ReadableStream<Uint8Array> | null = first;
  let lastEventId: string | undefined;
  for (let tries = 0; body !== null && tries <= MAX_RESUMES; tries++) {
    const end = await readUntilAnswered(body, options);
    if (end === 'answered') return true;
    lastEventId = end.lastEventId ?? lastEventId;
    if (lastEventId === undefined || requests.isModern) return false;
    await sleep(clock, FIRST_RECONNECT_MS, signal);
    const response = await requests.get(lastEventId, signal);
    body = response.ok ? response.body : null;
  }
  return false;
}

async function readUntilAnswered(
  body: ReadableStream<Uint8Array>,
  { maxBytes, signal, take }: EventsOptions,
) {
  let lastEventId: string | undefined;
  try {
    for await (const event of readEvents(body, maxBytes)) {
      lastEventId = event.id ?? lastEventId;
      if (event.data !== '' && take(parseOrNothing(event.data))) return 'answered';
    }
  } catch (error) {
    if (signal.aborted || lastEventId === undefined) throw error;
  }
  return { lastEventId };
}

/** The JSON of an answer; `undefined` for what is none. @throws Error when it is longer than `maxBytes`. */
export async function readAnswerFromJson(response: Response, maxBytes: number): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.byteLength;
    if (length > maxBytes) throw new Error('the answer is too long');
    parts.push(part);
  }
  return parseOrNothing(Buffer.concat(parts).toString('utf8'));
}

/** The value of a JSON text; `undefined` for what is none. */
export function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
