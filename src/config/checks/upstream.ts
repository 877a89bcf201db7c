import type { Check } from './conflict.ts';

/** Backends name a provider, and each has a redirect URI of its own: one set of names for both lists. */
export const upstreamNamesDiffer: Check = function* ({ provider, upstream }) {
  for (const [index, { name }] of upstream.provider.entries()) {
    const path = ['upstream', 'provider', index, 'name'];
    const expected = 'a name of its own; another provider has this one';
    const first = upstream.provider.findIndex((other) => other.name === name);
    if (first !== index) yield { path, others: [['upstream', 'provider', first, 'name']], expected };
    const signIn = provider.findIndex((other) => other.name === name);
    if (signIn !== -1) yield { path, others: [['provider', signIn, 'name']], expected };
  }
};

/** Where the service has no one address that is everybody's. */
const KINDS_WITHOUT_ADDRESS = ['oidc', 'forgejo', 'gitea'];

export const upstreamServersAreKnown: Check = function* ({ upstream }) {
  for (const [index, { kind, issuer }] of upstream.provider.entries()) {
    if (issuer !== undefined || !KINDS_WITHOUT_ADDRESS.includes(kind)) continue;
    yield {
      path: ['upstream', 'provider', index, 'issuer'],
      others: [['upstream', 'provider', index, 'kind']],
      expected: kind === 'oidc' ? 'the issuer of this OpenID provider' : 'the address of this server',
    };
  }
};
