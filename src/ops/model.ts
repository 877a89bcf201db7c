/** Asks one part whether it can do its work; rejects when it cannot. `signal` aborts when nobody waits any more. */
export type ReadinessCheck = (signal: AbortSignal) => Promise<void>;

/** What a part says of itself. `off`: it is not configured, and nobody waits for it. */
export type PartState = 'ok' | 'failing' | 'timeout' | 'off';

export interface Readiness {
  readonly ready: boolean;
  readonly parts: Readonly<Record<string, PartState>>;
}
