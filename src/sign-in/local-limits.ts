import type { Limiter, OpenLimiter } from '../lib/limiter.ts';
import { foldName, type UserId } from '../users/model.ts';
import type { KnownBrowser } from './known-browsers.ts';

export interface LocalLimitsDeps {
  limiter: OpenLimiter;
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
  const limits = (name: string, limit: number, maxKeys: number): Limiter =>
    limiter({ name: `local ${name}`, limit, windowMs: config.attempts_window, maxKeys });
  const perAccount = config.attempts_per_account;
  const addresses = limits('addresses', config.attempts_per_address, MAX_ADDRESSES);
  const accounts = limits('accounts', perAccount, MAX_ACCOUNTS);
  const unknownNames = limits('unknown names', perAccount, MAX_NAMES);
  const browsers = limits('browsers', perAccount, MAX_BROWSERS);
  const reports = limits('reported', 1, MAX_REPORTS);

  const refused = async (
    limit: 'address' | 'account' | 'browser',
    key: string,
    retryAfterSeconds: number,
  ): Promise<AttemptAllowance> => {
    const { ok: isNews } = await reports.take(`${limit} ${key}`);
    return { ok: false, limit, retryAfterSeconds, isNews };
  };

  const beginKnown = async (key: string): Promise<AttemptAllowance> => {
    const own = await browsers.take(key);
    if (!own.ok) return refused('browser', key, own.retryAfterSeconds);
    return { ok: true, isKnown: true, giveBack: () => own.giveBack() };
  };

  const beginStranger = async ({ address, account }: LocalAttempt): Promise<AttemptAllowance> => {
    const from = addressKey(address);
    const byAddress = await addresses.take(from);
    if (!byAddress.ok) return refused('address', from, byAddress.retryAfterSeconds);
    const [limit, key] =
      'userId' in account
        ? [accounts, account.userId]
        : [unknownNames, foldName(account.name.slice(0, NAME_LENGTH))];
    const byAccount = await limit.take(key);
    if (!byAccount.ok) {
      byAddress.giveBack();
      return refused('account', key, byAccount.retryAfterSeconds);
    }
    const giveBack = () => {
      byAddress.giveBack();
      byAccount.giveBack();
    };
    return { ok: true, isKnown: false, giveBack };
  };

  return {
    /** Counts an attempt as failed until it is given back, so that many at once are no way around the limit. */
    begin(attempt: LocalAttempt): Promise<AttemptAllowance> {
      const { browser, account } = attempt;
      const isKnown =
        browser !== undefined && 'userId' in account && browser.userIds.includes(account.userId);
      return isKnown ? beginKnown(`${browser.id} ${account.userId}`) : beginStranger(attempt);
    },
  };
}
