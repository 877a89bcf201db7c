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
  const limit = (name: string, perWindow: number, maxKeys = MAX_ADDRESSES) =>
    limiter({ name: `redeems ${name}`, limit: perWindow, windowMs, maxKeys });
  const addresses = limit('of an address', config.redeems_per_address);
  const everybody = limit('of all', config.redeems, 1);
  const reports = limit('reported', 1);

  const refused = async (key: string, retryAfterSeconds: number): Promise<RedeemLimited> => ({
    ok: false,
    isNews: (await reports.take(key)).ok,
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
    async begin(address: string, what: 'code' | 'token'): Promise<RedeemAllowance> {
      const key = addressKey(address);
      const here = await addresses.take(key);
      if (!here.ok) return refused(key, here.retryAfterSeconds);
      const inAll = what === 'code' ? await everybody.take(ALL) : undefined;
      if (inAll?.ok === false) {
        here.giveBack();
        return refused(ALL, inAll.retryAfterSeconds);
      }
      return {
        ok: true,
        giveBack() {
          here.giveBack();
          inAll?.giveBack();
        },
      };
    },
  };
}
