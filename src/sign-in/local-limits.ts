import { foldName, type UserId } from '../users/model.ts';
import type { KnownBrowser } from './known-browsers.ts';

/** The part of `RateLimiter` that counting failures takes. */
export interface FailureLimiter {
  take(key: string): { readonly ok: true } | { readonly ok: false; readonly retryAfterSeconds: number };
  giveBack(key: string): void;
}

export interface LocalLimitsDeps {
  /** Makes one limiter; `maxKeys` bounds what it remembers. */
  limiter: (options: { limit: number; windowMs: number; maxKeys: number }) => FailureLimiter;
  /** What an address counts as: its /64 for IPv6. */
  addressKey: (address: string) => string;
  config: { attempts_per_address: number; attempts_per_account: number; attempts_window: number };
}

/** Who tries, and for which account. */
export interface LocalAttempt {
  address: string;
  browser: KnownBrowser | undefined;
  /** The account, or the name that was typed where there is none. */
  account: { userId: UserId } | { name: string };
}

export type AttemptAllowance =
  | {
      readonly ok: true;
      /** Whether the browser's own budget was used. */
      readonly isKnown: boolean;
      /** Takes the attempt back: it was no failure. */
      giveBack(): void;
    }
  | {
      readonly ok: false;
      readonly retryAfterSeconds: number;
      readonly limit: 'address' | 'account' | 'browser';
      /** Whether this refusal is worth an audit row: the first of its kind in a window is. */
      readonly isNews: boolean;
    };

export type LocalLimits = ReturnType<typeof localLimits>;

const MAX_ADDRESSES = 50_000;
const MAX_NAMES = 10_000;
/** More than there are people: guesses at names that do not exist never push out what is counted for one that does. */
const MAX_ACCOUNTS = 100_000;
const MAX_BROWSERS = 10_000;
const MAX_REPORTS = 10_000;
/** Longest part of a typed name that tells names apart, in characters. */
const NAME_LENGTH = 256;

/**
 * Failed local sign-ins are limited per address and per account. A browser that has signed in to the account before is
 * held to a budget of its own and to neither of those, so that no stranger can lock everybody out.
 */
export function localLimits({ limiter, addressKey, config }: LocalLimitsDeps) {
  const windowMs = config.attempts_window;
  const addresses = limiter({ limit: config.attempts_per_address, windowMs, maxKeys: MAX_ADDRESSES });
  const perAccount = { limit: config.attempts_per_account, windowMs };
  const accounts = limiter({ ...perAccount, maxKeys: MAX_ACCOUNTS });
  const unknownNames = limiter({ ...perAccount, maxKeys: MAX_NAMES });
  const browsers = limiter({ ...perAccount, maxKeys: MAX_BROWSERS });

  const reports = limiter({ limit: 1, windowMs, maxKeys: MAX_REPORTS });

  const refused = (limit: 'address' | 'account' | 'browser', key: string, retryAfterSeconds: number) =>
    ({ ok: false, limit, retryAfterSeconds, isNews: reports.take(`${limit} ${key}`).ok }) as const;

  const beginKnown = (key: string): AttemptAllowance => {
    const allowance = browsers.take(key);
    if (!allowance.ok) return refused('browser', key, allowance.retryAfterSeconds);
    return { ok: true, isKnown: true, giveBack: () => browsers.giveBack(key) };
  };

  const beginStranger = ({ address, account }: LocalAttempt): AttemptAllowance => {
    const from = addressKey(address);
    const byAddress = addresses.take(from);
    if (!byAddress.ok) return refused('address', from, byAddress.retryAfterSeconds);
    const [limit, key] =
      'userId' in account
        ? [accounts, account.userId]
        : [unknownNames, foldName(account.name.slice(0, NAME_LENGTH))];
    const byAccount = limit.take(key);
    if (!byAccount.ok) {
      addresses.giveBack(from);
      return refused('account', key, byAccount.retryAfterSeconds);
    }
    const giveBack = () => {
      addresses.giveBack(from);
      limit.giveBack(key);
    };
    return { ok: true, isKnown: false, giveBack };
  };

  return {
    /** Counts an attempt as failed until it is given back, so that many at once are no way around the limit. */
    begin(attempt: LocalAttempt): AttemptAllowance {
      const { browser, account } = attempt;
      const isKnown =
        browser !== undefined && 'userId' in account && browser.userIds.includes(account.userId);
      return isKnown ? beginKnown(`${browser.id} ${account.userId}`) : beginStranger(attempt);
    },
  };
}
