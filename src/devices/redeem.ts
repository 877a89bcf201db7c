import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { readTypedCode } from '../lib/typed-code.ts';
import { hashToken } from '../sessions/token.ts';
import type { DevicePublicKey } from '../signatures/model.ts';
import type { Admission } from './admission.ts';
import { pairingRefused } from './errors.ts';
import type { CountPairing } from './metrics.ts';
import type { DeviceAbout, DeviceOrigin, Paired, Pairing } from './model.ts';
import { pairingCodeHashes } from './pairings.ts';
import { type Proof, requireProof, takeProof } from './proof.ts';
import type { RedeemLimited, RedeemLimits } from './redeem-limits.ts';
import type { DeviceStore } from './store.ts';
import type { PairingStore, PresentedHashes } from './store-pairings.ts';

export interface RedeemDeps {
  db: Db;
  ring: KeyRing;
  store: PairingStore;
  devices: Pick<DeviceStore, 'read'>;
  admission: Admission;
  limits: RedeemLimits;
  audit: AuditRecorder;
  clock: Clock;
  count: CountPairing;
  /** The origin of `url`. */
  origin: string;
  /** How long after a code was redeemed its device may ask for the answer again. */
  repeatMs: number;
}

/** What a device sends; the proof is over the code or token exactly as it stands here. */
export interface Redemption {
  readonly presented: { readonly code: string } | { readonly token: string };
  readonly proof: Proof;
  readonly about: DeviceAbout;
}

/** Why there is no device; outside they look alike. */
type RefusalReason = 'malformed' | 'unknown' | 'expired' | 'used' | 'ended';

type Outcome = { kind: 'paired' | 'repeated'; paired: Paired } | { kind: 'refused'; reason: RefusalReason };

export type Redeem = ReturnType<typeof redeem>;

/**
 * A device redeems a code or a token. The code is used up in the transaction that makes the device, by one conditional
 * update: however many ask at once, one gets it. The same key may ask again, for an answer that it did not get.
 */
export function redeem(deps: RedeemDeps) {
  const { db, store, devices, admission, limits, audit, clock, count } = deps;
  const hashes = pairingCodeHashes(deps.ring);

  const hashesOf = (presented: Redemption['presented']): PresentedHashes | undefined => {
    if ('token' in presented) return { token: hashToken(presented.token) };
    const code = readTypedCode(presented.code);
    return code === undefined ? undefined : { code: hashes.candidates(code) };
  };

  const repeat = (
    tx: Tx,
    pairing: Pairing,
    key: DevicePublicKey,
    proof: Proof,
    from: DeviceOrigin,
  ): Outcome => {
    const device = pairing.deviceId === undefined ? undefined : devices.read(tx, pairing.deviceId);
    if (device?.publicKey !== key) return { kind: 'refused', reason: 'used' };
    store.takeProof(tx, pairing.id, takeProof(pairing.proofs, proof, clock.now()));
    return { kind: 'repeated', paired: admission.repeat(tx, device, from) };
  };

  const pair = (
    tx: Tx,
    { presented, proof, about }: Redemption,
    publicKey: DevicePublicKey,
    from: DeviceOrigin,
  ): Outcome => {
    const found = hashesOf(presented);
    if (found === undefined) return { kind: 'refused', reason: 'malformed' };
    const pairing = store.read(tx, found);
    const now = clock.now();
    if (pairing === undefined) return { kind: 'refused', reason: 'unknown' };
    if (now >= pairing.expiresAt) return { kind: 'refused', reason: 'expired' };
    if (pairing.redeemedAt !== undefined) return repeat(tx, pairing, publicKey, proof, from);
    const { userId, issuedBy } = pairing;
    const paired = admission.admit(tx, { userId, issuedBy, publicKey, about, from });
    const isFirst = store.redeem(tx, pairing.id, {
      deviceId: paired.device.id,
      at: now,
      expiresAt: now + deps.repeatMs,
      proofs: takeProof([], proof, now),
    });
    if (!isFirst) throw pairingRefused();
    return { kind: 'paired', paired };
  };

  const note = (reason: string, { address, userAgent }: DeviceOrigin) => {
    const action = 'pairing.refused';
    audit.note({ at: clock.now(), action, outcome: 'refused', address, userAgent, detail: { reason } });
  };

  const refused = (reason: RefusalReason, from: DeviceOrigin): AppError => {
    count('refused');
    note(reason, from);
    return pairingRefused();
  };

  const limited = ({ isNews, error }: RedeemLimited, from: DeviceOrigin): AppError => {
    count('rate_limited');
    if (isNews) note('rate_limited', from);
    return error;
  };

  /** Whoever brings the key or the serial of a paired device holds a good code: its person will want to know. */
  const failed = (error: unknown, from: DeviceOrigin) => {
    if (!(error instanceof AppError) || error.kind !== 'conflict') return;
    count('conflict');
    note(error.code, from);
  };

  /**
   * @throws AppError `too_many_requests` (`too_many_attempts`), `unprocessable` (`bad_public_key`, `too_many_devices`),
   * `unauthorized` (`proof_…`), `forbidden` (`pairing_refused`), `conflict` (`key_in_use`, `serial_in_use`).
   */
  return async (redemption: Redemption, from: DeviceOrigin & { address: string }): Promise<Paired> => {
    const attempt = await limits.begin(from.address, 'token' in redemption.presented ? 'token' : 'code');
    if (!attempt.ok) throw limited(attempt, from);
    const [presented = ''] = Object.values(redemption.presented);
    const key = requireProof(redemption.proof, { origin: deps.origin, presented, now: clock.now() });
    const outcome = await db
      .write((tx) => pair(tx, redemption, key, from))
      .catch((error: unknown): Outcome => {
        if (isEnded(error)) return { kind: 'refused', reason: 'ended' };
        attempt.giveBack();
        failed(error, from);
        throw error;
      });
    if (outcome.kind === 'refused') throw refused(outcome.reason, from);
    attempt.giveBack();
    count(outcome.kind);
    return outcome.paired;
  };
}

/** Who made the code is signed out, or may not sign in any more. */
function isEnded(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'session_ended' || error.code === 'user_disabled');
}
