import { backoffMs } from './backoff.ts';
import type { TunnelTiming } from './config-schema.ts';
import type { Outcome } from './connection.ts';

/** How long to wait before the next dial, and why. */
export interface Wait {
  readonly ms: number;
  readonly reason: string;
  /** Dials and short-lived tunnels that failed in a row. */
  readonly failures: number;
}

/** As many failures as make the bound of the wait the longest there is. */
const MANY = 30;

/** What a dial, or a tunnel, that came to an end is followed by; `failures` are those in a row before it. */
export function waitAfter(
  outcome: Exclude<Outcome, { kind: 'revoked' }>,
  failures: number,
  timing: TunnelTiming,
): Wait {
  const { backoff_min: minMs, backoff_max: maxMs } = timing;
  const drawn = backoffMs({ minMs, maxMs }, failures);
  switch (outcome.kind) {
    case 'corrected':
      return { ms: drawn, reason: 'the clocks do not agree', failures: failures + 1 };
    case 'replaced': {
      // Whoever has the same key gets a turn, instead of a fight that nobody wins.
      const ms = backoffMs({ minMs: maxMs / 2, maxMs }, MANY);
      return { ms, reason: 'another agent with the key of this device has connected', failures };
    }
    case 'lost': {
      const now = outcome.lastedMs >= timing.stable_after ? 0 : failures + 1;
      return { ms: backoffMs({ minMs, maxMs }, now), reason: outcome.reason, failures: now };
    }
    case 'failed': {
      const asked = Math.min(outcome.retryAfterMs ?? 0, maxMs);
      return { ms: Math.max(drawn, asked), reason: outcome.reason, failures: failures + 1 };
    }
  }
}
