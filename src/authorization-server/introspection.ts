import { resourcesOf } from '../sessions/audience.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { type FoundCredential, sessionEndsAt } from '../sessions/model.ts';
import type { ProtectedResource } from './model.ts';

export interface IntrospectionDeps {
  issuer: string;
  ledger: Pick<Ledger, 'findGrant' | 'isGood'>;
  resources: () => readonly ProtectedResource[];
}

/** Nothing more is ever said of a token that is not good, or not for who asks (RFC 7662 section 2.2). */
const INACTIVE = { active: false } as const;

/** What an access token stands for, told to a server that may ask about these backends; touches nothing. */
export function introspection({ issuer, ledger, resources }: IntrospectionDeps) {
  const resourceOf = ({ session }: FoundCredential, backends: readonly string[]) => {
    const [indicator] = resourcesOf(session.audience);
    return resources().find(({ name, resource }) => resource === indicator && backends.includes(name));
  };

  return (token: string, backends: readonly string[]) => {
    const found = ledger.findGrant(token);
    if (found?.credential.use !== 'access' || !ledger.isGood(found)) return INACTIVE;
    const resource = resourceOf(found, backends);
    const { session, user, credential } = found;
    if (resource === undefined || !resource.mayUse(user)) return INACTIVE;
    return {
      active: true,
      scope: resource.scope,
      client_id: session.clientId,
      username: user.username,
      token_type: 'Bearer',
      exp: Math.floor(Math.min(credential.expiresAt ?? Infinity, sessionEndsAt(session)) / 1_000),
      iat: Math.floor(session.createdAt / 1_000),
      sub: user.id,
      aud: resource.resource,
      iss: issuer,
    };
  };
}
