import { LRUCache } from 'lru-cache';
import type { Clock } from '../lib/clock.ts';
import { formatAddress, parseAddress } from '../lib/ip-address.ts';
import type { LimiterOptions, Refused, Taken } from '../lib/limiter.ts';
import { once } from '../lib/once.ts';

export type Allowance = { readonly ok: true } | Refused;

export interface RateLimiter {
  /** Counts `cost` (default 1) against the key when there is room for it; a refusal counts nothing. */
  take(key: string, cost?: number): Allowance;
  /** Takes back what `take` counted, for limits that count failures alone. */
  giveBack(key: string, cost?: number): void;
  /** What `take` would say, counting nothing. */
  peek(key: string, cost?: number): Allowance;
  /** Forgets what was counted against the key. */
  reset(key: string): void;
}

export interface RateLimitOptions extends Omit<LimiterOptions, 'name'> {
  clock: Clock;
}

/**
 * A leaky bucket per key (the generic cell rate algorithm): one number each, and nobody waits a whole window for the
 * first free place. It runs on the monotonic clock, so that a step of wall time frees or locks nobody.
 */
export function rateLimiter({ clock, limit, windowMs, maxKeys }: RateLimitOptions): RateLimiter {
  /** Key → the instant at which its bucket is empty again. Takes room for every key at once, so it waits for the first. */
  const emptyAt = once(() => new LRUCache<string, number>({ max: maxKeys }));
  const perUnitMs = windowMs / limit;

  const ask = (key: string, cost: number): { allowance: Allowance; next: number } => {
    const now = clock.monotonicNow();
    const next = Math.max(emptyAt().get(key) ?? now, now) + cost * perUnitMs;
    const waitMs = next - now - windowMs;
    // A rounding error of the division must not cost the last place.
    if (waitMs <= 1e-6) return { allowance: { ok: true }, next };
    return { allowance: { ok: false, retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) }, next };
  };

  return {
    take(key, cost = 1) {
      const { allowance, next } = ask(key, cost);
      if (allowance.ok) emptyAt().set(key, next);
      return allowance;
    },
    giveBack(key, cost = 1) {
      const until = emptyAt().get(key);
      if (until !== undefined) emptyAt().set(key, until - cost * perUnitMs);
    },
    peek: (key, cost = 1) => ask(key, cost).allowance,
    reset(key) {
      emptyAt().delete(key);
    },
  };
}

/** A `Limiter` of this process alone, which answers at once. */
export interface LocalLimiter {
  take(key: string): Taken | Refused;
}

export function localLimiter(clock: Clock, options: LimiterOptions): LocalLimiter {
  const counts = rateLimiter({ clock, ...options });
  return {
    take(key) {
      const allowance = counts.take(key);
      return allowance.ok ? { ok: true, giveBack: () => counts.giveBack(key) } : allowance;
    },
  };
}

/** What a limit counts an address as: itself, or its /64 for IPv6, of which every host has plenty. */
export function addressKey(address: string): string {
  const bytes = parseAddress(address);
  if (bytes === undefined || bytes.length === 4) return bytes === undefined ? address : formatAddress(bytes);
  return `${formatAddress(bytes.map((byte, index) => (index < 8 ? byte : 0)))}/64`;
}
