import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ledger, RefreshCheck, RefreshOutcome, Tokens } from './ledger.ts';
import type { FoundCredential, TokenHash } from './model.ts';
import type { GrantStore } from './store-grants.ts';
import { hashToken, type TokenMint } from './token.ts';

export interface GrantsDeps {
  store: GrantStore;
  /** Reads the database itself: what changes credentials must not believe a memory. */
  findByHash: (hash: TokenHash) => FoundCredential | undefined;
  mint: TokenMint;
  clock: Clock;
  accessLifetimeMs: number;
  /** How long a repeat of a refresh gets the same answer. */
  repeatWindowMs: number;
  isLive: (found: FoundCredential, now: number) => boolean;
  touch: (found: FoundCredential, now: number) => void;
  /** Ends the family of a token that came back. */
  endReused: (tx: Tx, found: FoundCredential) => void;
}

type Grants = Pick<Ledger, 'refreshGrant' | 'findGrant'>;

const UNKNOWN: RefreshOutcome = { kind: 'unknown' };

/**
 * Refresh token rotation (RFC 9700 section 4.14.2). The next pair is derived from the token that was presented, so that a client
 * which lost the answer, or asked twice at once, gets the same pair, and only hashes are kept.
 */
export function grants(deps: GrantsDeps): Grants {
  const { store, mint, clock } = deps;

  const findGrant: Ledger['findGrant'] = (token) => {
    if (!mint.isGenuine(token)) return undefined;
    const found = deps.findByHash(hashToken(token));
    return found?.session.kind === 'grant' ? found : undefined;
  };

  const rotate = (tx: Tx, token: string, from: TokenHash, now: number): Tokens => {
    const [derive] = mint.derivations;
    const access = derive('access', token);
    const refresh = derive('refresh', token);
    const accessExpiresAt = now + deps.accessLifetimeMs;
    store.supersede(tx, from, now);
    store.addPair(tx, from, {
      access: { hash: hashToken(access), expiresAt: accessExpiresAt },
      refresh: { hash: hashToken(refresh) },
    });
    return { access, refresh, accessExpiresAt };
  };

  /** The pair that was given for this token, as long as nobody has used its refresh token. */
  const repeat = (token: string): Tokens | undefined => {
    for (const derive of mint.derivations) {
      const refresh = derive('refresh', token);
      const successor = store.find(hashToken(refresh));
      if (successor === undefined) continue;
      if (successor.supersededAt !== undefined) return undefined;
      const access = derive('access', token);
      return { access, refresh, accessExpiresAt: store.find(hashToken(access))?.expiresAt ?? 0 };
    }
    return undefined;
  };

  return {
    findGrant,

    refreshGrant(tx: Tx, token: string, check: RefreshCheck): RefreshOutcome {
      const found = findGrant(token);
      if (found?.credential.use !== 'refresh') return UNKNOWN;
      const { session, user, credential } = found;
      const now = clock.now();
      check(session, user);
      if (!deps.isLive(found, now)) return { kind: 'ended' };
      if (credential.supersededAt === undefined) {
        deps.touch(found, now);
        return { kind: 'refreshed', session, tokens: rotate(tx, token, credential.hash, now) };
      }
      const repeated = now < credential.supersededAt + deps.repeatWindowMs ? repeat(token) : undefined;
      if (repeated !== undefined) return { kind: 'repeated', session, tokens: repeated };
      deps.endReused(tx, found);
      return { kind: 'reused', session };
    },
  };
}
