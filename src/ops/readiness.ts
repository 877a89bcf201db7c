import { type Clock, withDeadline } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { PartState, Readiness, ReadinessCheck } from './model.ts';

export interface ReadinessDeps {
  /** Every part by its name; `undefined` for one that is off. */
  parts: Readonly<Record<string, ReadinessCheck | undefined>>;
  clock: Clock;
  log: Logger;
  /** For each part, in milliseconds. */
  timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 2_000;

/** Asks all parts at once. Callers that come while it asks share the answer, so that probes cannot pile up. */
export function readiness({ parts, clock, log, timeoutMs = DEFAULT_TIMEOUT_MS }: ReadinessDeps) {
  let asking: Promise<Readiness> | undefined;

  const ask = async (name: string, check: ReadinessCheck | undefined): Promise<PartState> => {
    if (check === undefined) return 'off';
    const ending = new AbortController();
    const late = new Error('no answer in time');
    try {
      await withDeadline(clock, timeoutMs, check(ending.signal), () => late);
      return 'ok';
    } catch (error) {
      log.warn('a part is not ready', { part: name, error });
      return error === late ? 'timeout' : 'failing';
    } finally {
      ending.abort(late);
    }
  };
  const askAll = async (): Promise<Readiness> => {
    const states = await Promise.all(
      Object.entries(parts).map(async ([name, check]) => [name, await ask(name, check)] as const),
    );
    const ready = states.every(([, state]) => state === 'ok' || state === 'off');
    return { ready, parts: Object.fromEntries(states) };
  };

  return {
    check(): Promise<Readiness> {
      asking ??= askAll().finally(() => {
        asking = undefined;
      });
      return asking;
    },
  };
}

export type ReadinessProbe = ReturnType<typeof readiness>;
