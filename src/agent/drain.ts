import { type Clock, sleep, withDeadline } from '../lib/clock.ts';
import { CloseCode } from '../tunnel/constants.ts';
import type { Tunnel } from './dial.ts';

const STEP_MS = 20;

/** Takes nothing new, lets what runs finish until the deadline, and ends the tunnel. */
export async function drainTunnel({ mux, ended }: Tunnel, timeoutMs: number, clock: Clock): Promise<void> {
  mux.goAway();
  const idle = async () => {
    while (mux.streams.size > 0) await sleep(clock, STEP_MS);
  };
  const late = () => new Error('not everything had finished');
  await withDeadline(clock, timeoutMs, Promise.race([idle(), ended]), late).catch(() => undefined);
  mux.end(CloseCode.normal, 'the agent ends');
  await ended;
}
