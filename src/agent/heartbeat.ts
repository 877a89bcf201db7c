import type { Clock, Timer } from '../lib/clock.ts';
import { CloseCode } from '../tunnel/constants.ts';
import type { Mux } from '../tunnel/model.ts';

export interface HeartbeatOptions {
  mux: Pick<Mux, 'ping' | 'end'>;
  clock: Clock;
  intervalMs: number;
  timeoutMs: number;
  /** Milliseconds to the server and back. */
  onAnswer: (roundTripMs: number) => void;
}

/**
 * Asks the other end again and again whether it is there, on the monotonic clock, and ends the tunnel when it does not say so in
 * time: a half-open connection, an address that changed and a machine that slept look all alike from here.
 */
export function startHeartbeat({
  mux,
  clock,
  intervalMs,
  timeoutMs,
  onAnswer,
}: HeartbeatOptions): Disposable {
  let timer: Timer | undefined;
  let isOver = false;
  const beat = async () => {
    timer = clock.setTimer(timeoutMs, () => mux.end(CloseCode.timeout, 'no answer to a ping'));
    // It rejects when the tunnel is over, of which others hear.
    const roundTripMs = await mux.ping().catch(() => undefined);
    timer[Symbol.dispose]();
    if (isOver || roundTripMs === undefined) return;
    onAnswer(roundTripMs);
    timer = clock.setTimer(intervalMs, () => void beat());
  };
  void beat();
  return {
    [Symbol.dispose]() {
      isOver = true;
      timer?.[Symbol.dispose]();
    },
  };
}
