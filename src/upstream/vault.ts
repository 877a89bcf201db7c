import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { sealer } from '../lib/seal.ts';
import type { Sealed, UpstreamGrant, UserSecret } from './model.ts';

const TOKENS = keyPurpose('upstream tokens');
const SECRETS = keyPurpose('user secrets');

export type TokenColumn = 'access_token' | 'refresh_token';
type GrantPlace = Pick<UpstreamGrant, 'id' | 'userId'>;
type SecretPlace = Pick<UserSecret, 'id' | 'userId'>;

export type Vault = ReturnType<typeof vault>;

/**
 * Seals tokens and secrets for exactly one place: table, row, person and column are authenticated with them, so that
 * whoever can write to the database cannot hand one person's token to another.
 */
export function vault(ring: KeyRing) {
  const tokens = sealer(ring, TOKENS);
  const secrets = sealer(ring, SECRETS);
  const tokenContext = ({ id, userId }: GrantPlace, column: TokenColumn) => [
    'upstream_grants',
    id,
    userId,
    column,
  ];
  const secretContext = ({ id, userId }: SecretPlace) => ['user_secrets', id, userId, 'sealed'];

  return {
    sealToken: (place: GrantPlace, column: TokenColumn, token: string): Sealed =>
      tokens.seal(token, tokenContext(place, column)) as Sealed,

    /** `undefined`: there is none, or none of our keys opens it here. */
    openToken(grant: UpstreamGrant, column: TokenColumn): string | undefined {
      const sealed = column === 'access_token' ? grant.sealedAccessToken : grant.sealedRefreshToken;
      return sealed === undefined ? undefined : tokens.open(sealed, tokenContext(grant, column));
    },

    sealSecret: (place: SecretPlace, value: string): Sealed =>
      secrets.seal(value, secretContext(place)) as Sealed,

    openSecret: (secret: UserSecret): string | undefined =>
      secrets.open(secret.sealed, secretContext(secret)),
  };
}
