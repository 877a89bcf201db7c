import { parseOrigin } from '../../src/http/origin.ts';
import { addressKey, localLimiter } from '../../src/http/rate-limit.ts';
import { keyRing } from '../../src/lib/key-ring.ts';
import type { Visitor } from '../../src/sign-in/local-session.ts';
import { type LocalSignInFeature, openLocal } from '../../src/sign-in/open-local.ts';
import type { User, UserRole } from '../../src/users/model.ts';
import { type OpenPeople, openPeople } from '../../src/users/open-people.ts';
import {
  TEST_ORIGIN,
  TEST_SECRET,
  type TemporaryLedger,
  type TemporaryLedgerOptions,
  temporaryLedger,
} from './ledger.ts';

/** Fine by every rule. */
export const GOOD_PASSWORD = 'glacier otter fiddle brick';
export const OTHER_PASSWORD = 'velvet harbour quince ladder';

export const STRANGER: Visitor = {
  address: '198.51.100.7',
  userAgent: 'test browser',
  browser: undefined,
  sessionId: undefined,
};

export interface TemporaryAccounts extends AsyncDisposable {
  base: TemporaryLedger;
  people: OpenPeople;
  local: LocalSignInFeature;
  /** Somebody with a password, made as the operator would. */
  addLocal(username: string, role?: UserRole, password?: string): Promise<User>;
  /** What the audit holds, oldest first. */
  actions(): Promise<string[]>;
}

/** People and local sign-in over a database of their own, on real disk. */
export function temporaryAccounts(options: TemporaryLedgerOptions = {}): TemporaryAccounts {
  const base = temporaryLedger(options);
  const { db, audit, ledger, metrics, config } = base;
  const clock = base.clock;
  const people = openPeople({ db, clock, audit, sessions: ledger });
  const local = openLocal({
    db,
    clock,
    ring: keyRing([TEST_SECRET]),
    audit,
    metrics,
    ledger,
    people,
    origin: parseOrigin(options.origin ?? TEST_ORIGIN),
    config: config.sign_in,
    limiter: (limits) => localLimiter(clock, limits),
    addressKey,
  });
  return {
    base,
    people,
    local,
    async addLocal(username, role = 'member', password = GOOD_PASSWORD) {
      const hash = await Bun.password.hash(password, { algorithm: 'argon2id', memoryCost: 64, timeCost: 1 });
      return db.write((tx) => {
        const user = people.acts.createLocal(tx, { username, role, by: {}, chosenByOperator: true });
        people.passwords.set(tx, user.id, hash, clock.now());
        return user;
      });
    },
    async actions() {
      // Refusals are written a turn later.
      await new Promise((resolve) => setImmediate(resolve));
      await db.write(() => undefined);
      return base.auditStore
        .list({ limit: 1_000 })
        .map(({ action }) => action)
        .toReversed();
    },
    [Symbol.asyncDispose]: () => base[Symbol.asyncDispose](),
  };
}
