import type { MaybePromise } from './maybe-promise.ts';

/** Counted, and there was room. */
export interface Taken {
  readonly ok: true;
  /** Takes back what was counted, for limits that count failures alone. */
  giveBack(): void;
}

export interface Refused {
  readonly ok: false;
  readonly retryAfterSeconds: number;
}

/** A limit that the processes of one appliance share where they can. */
export interface Limiter {
  /** Counts 1 against the key when there is room for it; a refusal counts nothing. Never throws or rejects. */
  take(key: string): MaybePromise<Taken | Refused>;
}

export interface LimiterOptions {
  /** What is limited: tells this limit apart from all others. Never anything a caller sent. */
  name: string;
  /** How many at once; they come back evenly over `windowMs`. */
  limit: number;
  windowMs: number;
  /** Keys remembered by this process; beyond it the one unused for longest is forgotten. */
  maxKeys: number;
}

export type OpenLimiter = (options: LimiterOptions) => Limiter;
