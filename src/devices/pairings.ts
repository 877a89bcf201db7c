import type { AuditAction, AuditDetail } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { afterCommit, type Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { newId, newSecret } from '../lib/random.ts';
import { newTypedCode, typedCodeHashes } from '../lib/typed-code.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import { hashToken } from '../sessions/token.ts';
import type { Actor, UserId } from '../users/model.ts';
import { tooManyPairings } from './errors.ts';
import type { CountPairing } from './metrics.ts';
import type { Pairing, PairingId } from './model.ts';
import type { PairingStore } from './store-pairings.ts';

export interface PairingsDeps {
  db: Db;
  ring: KeyRing;
  store: PairingStore;
  ledger: Pick<Ledger, 'requireLive'>;
  audit: AuditRecorder;
  clock: Clock;
  count: CountPairing;
  /** The origin of `url`. */
  origin: string;
  lifetimeMs: number;
  /** Codes of one person that wait at once. */
  maxPerUser: number;
}

/** Who makes a code: a person in a browser session, or the operator at the machine for somebody. */
export type PairingMaker = Actor & { readonly userId: UserId; readonly sessionId: SessionId | undefined };

/** A code with its secrets, which are told once. */
export interface MadePairing {
  readonly pairing: Pairing;
  /** 8 signs, without the hyphen. */
  readonly code: string;
  /** 256 bits. */
  readonly token: string;
  /** Leads to a page that says what to do; the token is its fragment. */
  readonly link: string;
}

const PAIRING_CODES = keyPurpose('pairing code');

/** Hashes of pairing codes. */
export const pairingCodeHashes = (ring: KeyRing) => typedCodeHashes(ring, PAIRING_CODES);

export type Pairings = ReturnType<typeof pairings>;

/** Codes with which people let devices in. */
export function pairings({ db, ring, store, ledger, audit, clock, ...deps }: PairingsDeps) {
  const hashes = pairingCodeHashes(ring);

  const record = (
    tx: Tx,
    action: AuditAction,
    by: Actor & { sessionId?: SessionId | undefined },
    detail: AuditDetail,
  ) =>
    audit.record(tx, {
      at: clock.now(),
      action,
      outcome: 'success',
      actorUserId: by.userId,
      sessionId: by.sessionId,
      address: by.address,
      userAgent: by.userAgent,
      detail,
    });

  return {
    /**
     * @throws AppError `unprocessable` (`too_many_pairings`), `unauthorized` (`session_ended`) when the browser session that
     * asks ended meanwhile.
     */
    create(by: PairingMaker): Promise<MadePairing> {
      const code = newTypedCode();
      const token = newSecret();
      return db.write((tx) => {
        const now = clock.now();
        if (by.sessionId !== undefined) ledger.requireLive(tx, by.sessionId);
        if (store.countWaiting(tx, by.userId, now) >= deps.maxPerUser) throw tooManyPairings(deps.maxPerUser);
        const pairing: Pairing = {
          id: newId('pair') as PairingId,
          userId: by.userId,
          issuedBy: by.sessionId,
          createdAt: now,
          expiresAt: now + deps.lifetimeMs,
          redeemedAt: undefined,
          deviceId: undefined,
          proofs: [],
        };
        store.insert(tx, pairing, { codeHash: hashes.of(code), tokenHash: hashToken(token) });
        record(tx, 'pairing.created', by, { pairing: pairing.id });
        afterCommit(tx, () => deps.count('created'));
        return { pairing, code, token, link: `${deps.origin}/pair#${token}` };
      });
    },

    /** Codes of a person that a device could still redeem, oldest first. */
    list: (userId: UserId): Pairing[] => store.listWaiting(userId, clock.now()),

    /** `false`: this person has no such code waiting. */
    cancel(id: PairingId, by: Actor & { userId: UserId }): Promise<boolean> {
      return db.write((tx) => {
        if (!store.cancel(tx, id, by.userId)) return false;
        record(tx, 'pairing.cancelled', by, { pairing: id });
        return true;
      });
    },
  };
}
