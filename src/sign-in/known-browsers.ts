import { z } from 'zod';
import type { Clock } from '../lib/clock.ts';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { newSecret } from '../lib/random.ts';
import { sealer } from '../lib/seal.ts';
import type { UserId } from '../users/model.ts';

const PURPOSE = keyPurpose('known browser');
const CONTEXT = ['known browser'];
/** Accounts one browser is known to; the one used longest ago makes room. */
const MAX_ACCOUNTS = 8;
/** A browser that has not signed in for so long is a stranger again. */
export const KNOWN_BROWSER_LIFETIME_MS = 365 * 86_400_000;

/** A browser that has signed in with a password before, and to which accounts. It proves nothing but that. */
export interface KnownBrowser {
  /** Random; counts this browser's failures apart from everybody else's. */
  readonly id: string;
  readonly userIds: readonly UserId[];
}

const schema = z.object({ id: z.string(), users: z.array(z.string()), at: z.number() });

export type KnownBrowsers = ReturnType<typeof knownBrowsers>;

/**
 * The value of the cookie that a browser keeps once it has signed in with a password (OWASP: device cookies).
 * Strangers who guess at an account use up the budget of strangers; a browser known to the account has its own, so
 * that nobody can lock its people out. The cookie is sealed, and grants nothing.
 */
export function knownBrowsers({ ring, clock }: { ring: KeyRing; clock: Clock }) {
  const box = sealer(ring, PURPOSE);

  return {
    /** The browser a cookie value tells of; `undefined` for none, a forged one or an old one. */
    read(value: string | undefined): KnownBrowser | undefined {
      const text = value === undefined ? undefined : box.open(value, CONTEXT);
      const parsed = schema.safeParse(text === undefined ? undefined : JSON.parse(text));
      if (!parsed.success || clock.now() - parsed.data.at > KNOWN_BROWSER_LIFETIME_MS) return undefined;
      return { id: parsed.data.id, userIds: parsed.data.users as UserId[] };
    },

    /** The cookie value of this browser once it has signed in to one more account. */
    remember(browser: KnownBrowser | undefined, userId: UserId): string {
      const others = (browser?.userIds ?? []).filter((id) => id !== userId);
      const users = [userId, ...others].slice(0, MAX_ACCOUNTS);
      return box.seal(JSON.stringify({ id: browser?.id ?? newSecret(), users, at: clock.now() }), CONTEXT);
    },
  };
}
