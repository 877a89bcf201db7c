import type { Config } from '../../src/config/schema.ts';
import { type KeyRing, keyRing } from '../../src/lib/key-ring.ts';
import { hostAudience } from '../../src/sessions/audience.ts';
import type { Issued } from '../../src/sessions/ledger.ts';
import { type BackendNeeds, needs } from '../../src/upstream/needs.ts';
import { type OpenUpstream, openUpstream } from '../../src/upstream/open-upstream.ts';
import type { UserId } from '../../src/users/model.ts';
import { TEST_ORIGIN, TEST_SECRET, type TemporaryLedger } from './ledger.ts';
import type { TemporaryAccounts } from './local-accounts.ts';

export interface TestUpstreamOptions {
  config?: Pick<Config, 'provider' | 'upstream' | 'sign_in'>;
  origin?: string;
  backends?: readonly BackendNeeds[];
  ring?: KeyRing;
  /** As where several processes refresh the same grants. */
  isShared?: boolean;
}

/** Linked accounts over the people and the ledger of a test. */
export function testUpstream(
  { base, people }: Pick<TemporaryAccounts, 'base' | 'people'>,
  {
    config = base.config,
    origin = TEST_ORIGIN,
    backends = [],
    ring = keyRing([TEST_SECRET]),
    isShared = false,
  }: TestUpstreamOptions = {},
): OpenUpstream {
  const { db, log, audit, metrics, ledger, clock } = base;
  return openUpstream({
    db,
    clock,
    log,
    ring,
    audit,
    metrics,
    ledger,
    users: people.store,
    config,
    origin,
    needs: needs(backends),
    isShared,
  });
}

/** A backend for tests; its grants are those that are good at `<name>.backend.test`. */
export function testBackend(name: string, more: Partial<BackendNeeds> = {}): BackendNeeds {
  const audience = hostAudience(`${name}.backend.test`);
  return { name, audience, provider: undefined, secrets: [], ...more };
}

/** A grant of a person at a backend, such as a connected app holds one. */
export async function openGrantAt(
  { db, ledger, clock }: TemporaryLedger,
  userId: UserId,
  backend: string,
): Promise<Issued> {
  const issuedBy = (await ledger.list(userId)).find(({ kind }) => kind === 'user')?.id;
  if (issuedBy === undefined) throw new Error('nobody is signed in');
  return db.write((tx) =>
    ledger.openPersonalToken(tx, {
      issuedBy,
      label: backend,
      audience: [hostAudience(`${backend}.backend.test`)],
      expiresAt: clock.now() + 86_400_000,
      origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
    }),
  );
}
