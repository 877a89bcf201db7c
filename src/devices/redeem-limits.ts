import { AppError } from '../lib/app-error.ts';
import type { LocalLimitsDeps } from '../sign-in/local-limits.ts';

export interface RedeemLimitsDeps extends Pick<LocalLimitsDeps, 'limiter' | 'addressKey'> {
  config: { redeems_per_address: number; redeems: number; redeems_window: number };
}

/** One try that is counted as a failure until somebody knows better. */
export interface RedeemTry {
  /** Takes it back: it was no guess. */
  giveBack(): void;
}

/** What limits let through. `isNews`: worth an audit row, because it is the first of its kind in a window. */
export type RedeemAllowance = ({ readonly ok: true } & RedeemTry) | RedeemLimited;

export interface RedeemLimited {
  readonly ok: false;
  readonly isNews: boolean;
  readonly error: AppError;
}

export type RedeemLimits = ReturnType<typeof redeemLimits>;

const MAX_ADDRESSES = 50_000;
const ALL = 'all';

/**
 * Guesses at codes are counted per address and in all. Tokens cannot be guessed: they count against their address alone, so
 * that guessing at codes from everywhere keeps nobody from pairing by a link.
 */
export function redeemLimits({ limiter, addressKey, config }: RedeemLimitsDeps) {
  const windowMs = config.redeems_window;
  const addresses = limiter({ limit: config.redeems_per_address, windowMs, maxKeys: MAX_ADDRESSES });
  const everybody = limiter({ limit: config.redeems, windowMs, maxKeys: 1 });
  const reports = limiter({ limit: 1, windowMs, maxKeys: MAX_ADDRESSES });

  const refused = (key: string, retryAfterSeconds: number): RedeemLimited => ({
    ok: false,
    isNews: reports.take(key).ok,
    error: new AppError(
      'too_many_requests',
      'too_many_attempts',
      'Too many codes were tried. Wait a while.',
      {
        retryAfterSeconds,
      },
    ),
  });

  return {
    /** Counts before anything is looked up, so that guesses at the same time count too. */
    begin(address: string, what: 'code' | 'token'): RedeemAllowance {
      const key = addressKey(address);
      const here = addresses.take(key);
      if (!here.ok) return refused(key, here.retryAfterSeconds);
      const inAll = what === 'code' ? everybody.take(ALL) : here;
      if (!inAll.ok) {
        addresses.giveBack(key);
        return refused(ALL, inAll.retryAfterSeconds);
      }
      return {
        ok: true,
        giveBack() {
          addresses.giveBack(key);
          if (what === 'code') everybody.giveBack(ALL);
        },
      };
    },
  };
}
