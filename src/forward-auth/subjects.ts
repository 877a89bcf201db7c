/** A person at a provider. */
interface Identity {
  /** The provider's short name. */
  readonly provider: string;
  readonly subject: string;
}

/**
 * What rules call the identities of a person. A subject is unique at its provider alone, so where there are several it
 * stands behind the provider's name (`home:4711`); identities of a provider that is not configured any more count nowhere.
 */
export function ruleSubjects(identities: readonly Identity[], providers: readonly string[]): string[] {
  return identities
    .filter(({ provider }) => providers.includes(provider))
    .map(({ provider, subject }) => (providers.length > 1 ? `${provider}:${subject}` : subject));
}
