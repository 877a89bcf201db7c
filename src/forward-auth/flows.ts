import type { Clock } from '../lib/clock.ts';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { newSecret } from '../lib/random.ts';
import { sealer } from '../lib/seal.ts';
import type { TokenHash } from '../sessions/model.ts';
import { hashToken } from '../sessions/token.ts';

const RETURN_TARGET = keyPurpose('host sign-in return target');

/** A sign-in that has begun on a protected host. Nothing of it is stored here: the browser holds it. */
export interface Flow {
  /** Names the cookie. Later flows have greater ids. */
  readonly id: string;
  /** 256 bits, for the cookie on that host alone. */
  readonly secret: string;
  readonly hash: TokenHash;
  /** Host and return path, sealed for the one flow. */
  readonly sealed: string;
}

/** Where a flow leads. */
export interface FlowTarget {
  readonly host: string;
  /** Path and query. */
  readonly path: string;
}

export interface FlowsDeps {
  ring: KeyRing;
  clock: Clock;
  lifetimeMs: number;
}

export type Flows = ReturnType<typeof flows>;

export function flows({ ring, clock, lifetimeMs }: FlowsDeps) {
  const targets = sealer(ring, RETURN_TARGET);

  return {
    begin({ host, path }: FlowTarget): Flow {
      const now = clock.now();
      const secret = newSecret();
      const hash = hashToken(secret);
      const sealed = targets.seal(JSON.stringify({ host, path, expiresAt: now + lifetimeMs }), [hash]);
      return { id: newFlowId(now), secret, hash, sealed };
    },

    /** Where the flow with this hash leads; `undefined` unless it was begun here, and not too long ago. */
    open(sealed: string, hash: string): FlowTarget | undefined {
      const text = targets.open(sealed, [hash]);
      if (text === undefined) return undefined;
      const { host, path, expiresAt } = JSON.parse(text) as FlowTarget & { expiresAt: number };
      return clock.now() < expiresAt ? { host, path } : undefined;
    },
  };
}

/** Sorts by the second it was made in; the rest tells flows of one second apart. */
function newFlowId(now: number): string {
  return (
    Math.floor(now / 1_000)
      .toString(36)
      .padStart(8, '0') + newSecret().slice(0, 6)
  );
}
