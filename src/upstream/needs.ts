import type { Ledger } from '../sessions/ledger.ts';
import type { Audience, Session } from '../sessions/model.ts';
import type { UserId } from '../users/model.ts';

/** What MCP backends want of people: tokens of a provider, or secrets that are pasted. */
export interface BackendNeeds {
  /** The backend's name. */
  readonly name: string;
  /** Where its grants are good. */
  readonly audience: Audience;
  /** The provider whose tokens it is given. */
  readonly provider: string | undefined;
  /** Names of the secrets it is given. */
  readonly secrets: readonly string[];
}

export type Needs = ReturnType<typeof needs>;

/** What all backends want, by what they want. */
export function needs(backends: readonly BackendNeeds[]) {
  const by = (provider: string) => backends.filter((backend) => backend.provider === provider);
  return {
    /** Providers whose tokens some backend is given. */
    providers: new Set(backends.flatMap(({ provider }) => provider ?? [])) as ReadonlySet<string>,
    /** Names of the secrets that some backend is given. */
    secrets: new Set(backends.flatMap(({ secrets }) => secrets)) as ReadonlySet<string>,
    backendsOfProvider: (provider: string) => by(provider).map(({ name }) => name),
    backendsOfSecret: (secret: string) =>
      backends.filter(({ secrets }) => secrets.includes(secret)).map(({ name }) => name),
    /** What the backends at these places want. */
    wantedAt: (audience: readonly Audience[]) => {
      const there = backends.filter((backend) => audience.includes(backend.audience));
      return {
        providers: new Set(there.flatMap(({ provider }) => provider ?? [])),
        secrets: new Set(there.flatMap(({ secrets }) => secrets)),
      };
    },
    audiencesOfSecret: (secret: string): readonly Audience[] =>
      backends.filter(({ secrets }) => secrets.includes(secret)).map(({ audience }) => audience),
    audiencesOf: (provider: string): readonly Audience[] => by(provider).map(({ audience }) => audience),
  };
}

/** The live grants of a person at backends that are given tokens of a provider. */
export function dependentSessions(
  ledger: Pick<Ledger, 'listDurable'>,
  wanted: Needs,
  { userId, provider }: { userId: UserId; provider: string },
): Session[] {
  return grantsAt(ledger, userId, wanted.audiencesOf(provider));
}

/** The live grants of a person at some of these places. */
export function grantsAt(
  ledger: Pick<Ledger, 'listDurable'>,
  userId: UserId,
  audiences: readonly Audience[],
): Session[] {
  return ledger
    .listDurable(userId)
    .filter(({ kind, audience }) => kind === 'grant' && audience.some((each) => audiences.includes(each)));
}
