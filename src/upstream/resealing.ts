import type { Tx } from '../db/write.ts';
import type { UpstreamGrant } from './model.ts';
import type { UpstreamGrantStore } from './store.ts';
import type { UserSecretStore } from './store-secrets.ts';
import type { TokenColumn, Vault } from './vault.ts';

export interface ResealingDeps {
  grants: Pick<UpstreamGrantStore, 'resealAll'>;
  secrets: Pick<UserSecretStore, 'resealAll'>;
  vault: Vault;
}

/**
 * Seals tokens and secrets anew with the current key. What none of the keys opens is left as it is.
 * Versions stay: the tokens are the same, and a refresh under way may commit.
 */
export function resealTasks({ grants, secrets, vault }: ResealingDeps) {
  const again = (grant: UpstreamGrant, column: TokenColumn) => {
    const token = vault.openToken(grant, column);
    return token === undefined ? undefined : vault.sealToken(grant, column, token);
  };
  const resealGrant = (grant: UpstreamGrant) => {
    const [access, refresh] = [again(grant, 'access_token'), again(grant, 'refresh_token')];
    if (access === undefined && refresh === undefined) return undefined;
    return {
      ...(access !== undefined && { sealedAccessToken: access }),
      ...(refresh !== undefined && { sealedRefreshToken: refresh }),
    };
  };
  return [
    { name: 'upstream_grants', reseal: (tx: Tx) => grants.resealAll(tx, resealGrant) },
    {
      name: 'user_secrets',
      reseal: (tx: Tx) =>
        secrets.resealAll(tx, (secret) => {
          const value = vault.openSecret(secret);
          return value === undefined ? undefined : vault.sealSecret(secret, value);
        }),
    },
  ];
}
