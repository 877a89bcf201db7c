import type { Check } from './conflict.ts';

export const providerNamesDiffer: Check = function* ({ provider }) {
  for (const [index, { name }] of provider.entries()) {
    const first = provider.findIndex((other) => other.name === name);
    if (first === index) continue;
    yield {
      path: ['provider', index, 'name'],
      others: [['provider', first, 'name']],
      expected: 'a name of its own; another provider has this one',
    };
  }
};

/** Discovery begins at the issuer (OpenID Connect Discovery section 4). */
export const oidcHasIssuer: Check = function* ({ provider }) {
  for (const [index, { kind, issuer }] of provider.entries()) {
    if (kind !== 'oidc' || issuer !== undefined) continue;
    const path = ['provider', index, 'issuer'];
    yield { path, others: [['provider', index, 'kind']], expected: 'the issuer of this OpenID provider' };
  }
};

/** Without the scope `openid` a request is not one of OpenID Connect (Core section 3.1.2.1). */
export const oidcAsksForOpenid: Check = function* ({ provider }) {
  for (const [index, { kind, scopes }] of provider.entries()) {
    if (kind !== 'oidc' || scopes.includes('openid')) continue;
    const path = ['provider', index, 'scopes'];
    yield { path, others: [['provider', index, 'kind']], expected: 'the scope openid among the others' };
  }
};
