import type { AuditAction } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { afterCommit, type Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Limiter } from '../lib/limiter.ts';
import type { PollPace } from '../lib/poll-pace.ts';
import { newSecret } from '../lib/random.ts';
import { newTypedCode, showTypedCode, type TypedCodeHashes } from '../lib/typed-code.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import { hashToken } from '../sessions/token.ts';
import { keyFingerprint } from '../signatures/fingerprint.ts';
import type { Actor } from '../users/model.ts';
import type { Admission } from './admission.ts';
import { keyInUse, pairingRefused, serialInUse } from './errors.ts';
import {
  answered,
  denied,
  expired,
  pending,
  slowDown,
  tooManyFromHere,
  tooManyWait,
} from './errors-joins.ts';
import type { CountJoin } from './metrics.ts';
import type { DeviceAbout, DeviceId, DeviceOrigin, Paired } from './model.ts';
import { type Proof, requireProof, takeProof } from './proof.ts';
import type { DeviceStore } from './store.ts';
import type { JoinRequest, JoinRequestStore } from './store-join-requests.ts';

/** What a device that begins signs in the place of a code: it has none yet, and no code or token reads like this. */
export const JOIN_PRESENTED = 'join';

export interface JoinRequestsDeps {
  db: Db;
  store: JoinRequestStore;
  devices: Pick<DeviceStore, 'read' | 'taken'>;
  admission: Admission;
  hashes: TypedCodeHashes;
  pace: PollPace;
  ledger: Pick<Ledger, 'requireLive'>;
  audit: AuditRecorder;
  clock: Clock;
  /** The origin of `url`. */
  origin: string;
  /** Requests that one address may begin. */
  limit: Limiter;
  addressKey: (address: string) => string;
  maxPending: number;
  lifetimeMs: number;
  count: CountJoin;
}

export interface BegunJoin {
  readonly deviceCode: string;
  /** As it is shown. */
  readonly userCode: string;
  readonly expiresAt: number;
}

/** A device as a person sees it before they answer. */
export interface AskingDevice {
  readonly request: JoinRequest;
  /** What the device shows too. */
  readonly fingerprint: string;
}

type By = Actor & { readonly sessionId: SessionId };

export type JoinRequests = ReturnType<typeof joinRequests>;

/** Pairing that the device begins, after the manner of RFC 8628: it shows a code, and its person types it. */
export function joinRequests(deps: JoinRequestsDeps) {
  const { db, store, clock, origin, count } = deps;

  const note = (tx: Tx, action: AuditAction, { publicKey }: JoinRequest, by: By) =>
    deps.audit.record(tx, {
      at: clock.now(),
      action,
      outcome: action === 'device.join_denied' ? 'refused' : 'success',
      actorUserId: by.userId,
      sessionId: by.sessionId,
      address: by.address,
      userAgent: by.userAgent,
      detail: { fingerprint: keyFingerprint(publicKey) },
    });

  /** What the owner approved is this device: its key still free, its serial too. */
  const requireFree = (tx: Tx, { publicKey, about }: JoinRequest) => {
    const nobody = '' as DeviceId;
    const taken = deps.devices.taken(tx, { id: nobody, publicKey, serial: about.serial });
    if (taken !== undefined) throw taken === 'key' ? keyInUse() : serialInUse();
  };

  const wait = ({ hash }: JoinRequest): never => {
    throw deps.pace.isTooSoon(hash) ? slowDown() : pending();
  };

  const requireAnswered = (request: JoinRequest): void => {
    if (request.status === 'denied') throw denied();
    if (clock.now() >= request.expiresAt) throw expired();
    if (request.status === 'pending') wait(request);
  };

  /** The device that this request gave, once more; or a new one. */
  const give = (tx: Tx, request: JoinRequest, from: DeviceOrigin): Paired => {
    const { userId, issuedBy, deviceId, publicKey, about } = request;
    if (deviceId !== undefined) {
      const device = deps.devices.read(tx, deviceId);
      if (device?.publicKey !== publicKey) throw pairingRefused();
      return deps.admission.repeat(tx, device, from);
    }
    if (userId === undefined || issuedBy === undefined) throw denied();
    return deps.admission.admit(tx, { userId, issuedBy, publicKey, about, from });
  };

  return {
    /**
     * Begins a request; what the same key asked for before is void.
     * @throws AppError `unprocessable` (`bad_public_key`), `unauthorized` (`proof_…`), `too_many_requests` and `unavailable`
     * (`too_many_joins`).
     */
    async begin(about: DeviceAbout, proof: Proof, address: string): Promise<BegunJoin> {
      const allowance = await deps.limit.take(deps.addressKey(address));
      if (!allowance.ok) {
        count('rate_limited');
        throw tooManyFromHere(allowance.retryAfterSeconds);
      }
      const publicKey = requireProof(proof, { origin, presented: JOIN_PRESENTED, now: clock.now() });
      const [deviceCode, userCode, now] = [newSecret(), newTypedCode(), clock.now()];
      const request: JoinRequest = {
        hash: hashToken(deviceCode),
        publicKey,
        about,
        address,
        status: 'pending',
        userId: undefined,
        issuedBy: undefined,
        deviceId: undefined,
        proofs: [],
        createdAt: now,
        expiresAt: now + deps.lifetimeMs,
      };
      const reapAt = request.expiresAt + deps.lifetimeMs;
      await db.write((tx) => {
        const proofs = takeProof(store.withdraw(tx, publicKey), proof, now);
        if (store.countPending(tx, now) >= deps.maxPending) {
          count('full');
          throw tooManyWait();
        }
        store.insert(tx, { ...request, proofs }, { userCodeHash: deps.hashes.of(userCode), reapAt });
        afterCommit(tx, () => count('begun'));
      });
      return { deviceCode, userCode: showTypedCode(userCode), expiresAt: request.expiresAt };
    },

    /** Who asks with this code; `undefined`: nobody does, or not any more. */
    find(code: string): AskingDevice | undefined {
      const request = store.findByUserCode(deps.hashes.candidates(code));
      if (request?.status !== 'pending' || clock.now() >= request.expiresAt) return undefined;
      return { request, fingerprint: keyFingerprint(request.publicKey) };
    },

    /**
     * Lets the device of an earlier `find` in, as a device of the person who answers.
     * @throws AppError `bad_request` (`stale_consent`), `conflict` (`key_in_use`, `serial_in_use`), `unauthorized` (`session_ended`).
     */
    async approve({ request }: AskingDevice, by: By): Promise<void> {
      await db.write((tx) => {
        const { userId } = deps.ledger.requireLive(tx, by.sessionId);
        requireFree(tx, request);
        const now = clock.now();
        const expiresAt = now + deps.lifetimeMs;
        const approval = { userId, issuedBy: by.sessionId, expiresAt, reapAt: expiresAt + deps.lifetimeMs };
        if (!store.approve(tx, request.hash, now, approval)) throw answered();
        note(tx, 'device.join_approved', request, by);
        afterCommit(tx, () => count('approved'));
      });
    },

    /** @throws AppError `bad_request` (`stale_consent`). */
    async deny({ request }: AskingDevice, by: By): Promise<void> {
      await db.write((tx) => {
        if (!store.deny(tx, request.hash, clock.now())) throw answered();
        note(tx, 'device.join_denied', request, by);
        afterCommit(tx, () => count('denied'));
      });
    },

    /**
     * What became of a request, for the device that holds its code and its key. With a fresh proof it may ask again, and gets a new token.
     * A poll that finds nothing new writes nothing.
     * @throws AppError `bad_request` (`authorization_pending`, `slow_down`, `access_denied`, `expired_token`), `forbidden`
     * (`pairing_refused`), and as `requireProof` and `Admission` do.
     */
    async redeem(deviceCode: string, proof: Proof, from: DeviceOrigin): Promise<Paired> {
      const hash = hashToken(deviceCode);
      const known = store.find(hash);
      if (known?.publicKey !== proof.publicKey) throw pairingRefused();
      requireProof(proof, { origin, presented: deviceCode, now: clock.now() });
      requireAnswered(known);
      return db
        .write((tx) => {
          const request = store.read(tx, hash);
          if (request === undefined) throw pairingRefused();
          requireAnswered(request);
          const proofs = takeProof(request.proofs, proof, clock.now());
          const paired = give(tx, request, from);
          store.redeemed(tx, hash, paired.device.id, proofs);
          afterCommit(tx, () => count(request.deviceId === undefined ? 'paired' : 'repeated'));
          return paired;
        })
        .catch(asDenied);
    },

    /** For `Ledger.whenEnding`. */
    voidOf: (tx: Tx, sessions: readonly SessionId[]): void => store.voidOf(tx, sessions),
  };
}

/** The browser session that approved has ended, or its person may not sign in any more: with it, the approval. */
function asDenied(error: unknown): never {
  const isOver = error instanceof AppError && ['session_ended', 'user_disabled'].includes(error.code);
  throw isOver ? denied() : error;
}
