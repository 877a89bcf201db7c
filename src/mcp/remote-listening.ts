import { type Clock, sleep } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { FIRST_RECONNECT_MS } from './constants.ts';
import { readEvents } from './event-stream.ts';
import type { OutboundBudget } from './outbound-budget.ts';
import { parseOrNothing } from './remote-answers.ts';
import type { RemoteRequests } from './remote-requests.ts';

const LONGEST_RECONNECT_MS = 30_000;

export interface ListeningOptions {
  requests: RemoteRequests;
  backend: { readonly name: string; readonly messageBytes: number };
  budget: OutboundBudget;
  clock: Clock;
  log: Logger;
  /** Ends it. */
  signal: AbortSignal;
  read: (message: unknown) => void;
  /** Told of an answer that is no stream; `true` when all is over with that server. */
  isGone: (status: number) => boolean;
  /** The first answer is there, or there will be none. */
  onFirst: () => void;
}

/** Hears what a legacy server says of its own accord, as long as it lasts; one that has no such stream answers 405. Never rejects. */
export async function listenToRemote(options: ListeningOptions): Promise<void> {
  const { backend, log, onFirst } = options;
  const { streams } = options.budget;
  if (!streams.take()) {
    log.warn('too many streams of remote MCP servers are open; this one is not listened to', {
      backend: backend.name,
    });
    return onFirst();
  }
  try {
    await keepListening(options);
  } finally {
    streams.give();
  }
}

async function keepListening({
  requests,
  backend,
  clock,
  log,
  signal,
  read,
  isGone,
  onFirst,
}: ListeningOptions): Promise<void> {
  let lastEventId: string | undefined;
  for (
    let waitMs = FIRST_RECONNECT_MS;
    !signal.aborted;
    waitMs = Math.min(2 * waitMs, LONGEST_RECONNECT_MS)
  ) {
    try {
      const response = await requests.get(lastEventId, signal).finally(onFirst);
      if (!response.ok || response.body === null) {
        await response.body?.cancel();
        if (isGone(response.status) || response.status < 500) return;
      } else {
        for await (const event of readEvents(response.body, backend.messageBytes)) {
          waitMs = FIRST_RECONNECT_MS;
          lastEventId = event.id ?? lastEventId;
          if (event.data !== '') read(parseOrNothing(event.data));
        }
      }
    } catch (error) {
      if (!signal.aborted) log.debug('the stream of a remote MCP server broke', { error });
    }
    await sleep(clock, waitMs, signal).catch(() => undefined);
  }
}
