import type { UserId } from '../users/model.ts';
import type { GrantEndReason } from './model.ts';
import type { Needs } from './needs.ts';
import type { UpstreamProviders } from './providers.ts';
import type { UpstreamGrantStore } from './store.ts';

export interface AccountsDeps {
  store: Pick<UpstreamGrantStore, 'list'>;
  providers: UpstreamProviders;
  needs: Needs;
}

/** A provider, and what a person has linked there. Nothing of it is a secret. */
export interface LinkedAccount {
  readonly provider: string;
  readonly label: string;
  /** Backends that are given its tokens. */
  readonly backends: readonly string[];
  readonly status: 'linked' | 'not_linked' | 'link_again';
  readonly endReason: GrantEndReason | undefined;
  /** What the provider calls the account. */
  readonly account: string | undefined;
  readonly scope: string | undefined;
  /** Epoch milliseconds. */
  readonly linkedAt: number | undefined;
  /** When the access token ends; a refresh may come before. */
  readonly expiresAt: number | undefined;
  /** Whether it is refreshed by itself. */
  readonly isRefreshed: boolean;
  /** Whether the configuration still names the provider: without it there is only unlinking. */
  readonly isConfigured: boolean;
}

/** What a person has linked, and could link: providers in the order of the configuration, then what only the database knows. */
export function accounts({ store, providers, needs }: AccountsDeps) {
  return {
    list(userId: UserId): LinkedAccount[] {
      const grants = new Map(store.list(userId).map((grant) => [grant.provider, grant]));
      const configured = providers.all.map(({ name }) => name);
      const names = [...new Set([...configured, ...grants.keys()])];
      return names.map((provider) => {
        const grant = grants.get(provider);
        return {
          provider,
          label: providers.find(provider)?.label ?? provider,
          backends: needs.backendsOfProvider(provider),
          status: grant === undefined ? 'not_linked' : grant.status === 'active' ? 'linked' : 'link_again',
          endReason: grant?.endReason,
          account: grant?.accountName ?? grant?.subject,
          scope: grant?.scope,
          linkedAt: grant?.linkedAt,
          expiresAt: grant?.expiresAt,
          isRefreshed: grant?.sealedRefreshToken !== undefined,
          isConfigured: providers.find(provider) !== undefined,
        };
      });
    },

    /** @throws AppError `not_found` (`unknown_provider`). */
    get: (name: string) => providers.get(name),
  };
}
