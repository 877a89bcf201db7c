import type { Config } from '../../src/config/schema.ts';
import { keyRing } from '../../src/lib/key-ring.ts';
import {
  type OpenProviderSignInDeps,
  openProviderSignIn,
  type ProviderSignIn,
} from '../../src/sign-in/open-provider-sign-in.ts';
import { TEST_SECRET } from './ledger.ts';
import type { TemporaryAccounts } from './local-accounts.ts';

/** Sign-in through the providers of `config`, for the people of `accounts`. */
export function testProviderSignIn(
  { base, people, local }: TemporaryAccounts,
  config: Config,
  upstream?: OpenProviderSignInDeps['upstream'],
): ProviderSignIn {
  const { db, clock, audit, metrics, log, ledger } = base;
  return openProviderSignIn({
    db,
    clock,
    ring: keyRing([TEST_SECRET]),
    audit,
    metrics,
    log,
    ledger,
    people,
    local,
    origin: new URL(config.url).origin,
    config,
    ...(upstream && { upstream }),
  });
}
