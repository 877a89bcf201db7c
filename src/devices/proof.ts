import { readPublicKey } from '../signatures/ed25519-key.ts';
import type { DevicePublicKey } from '../signatures/model.ts';
import { isPairingProof } from '../signatures/pairing-proof.ts';
import { ageRefusal } from '../signatures/verify-request.ts';
import { badPublicKey, proofRefused } from './errors.ts';
import type { TakenProofs } from './model.ts';

/** What a device sends to show that it holds a key, here and now. */
export interface Proof {
  readonly publicKey: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly nonce: string;
  readonly proof: string;
}

/** Proofs of one pairing that are remembered; a device that asks more often than this within their time has to wait. */
const MAX_TAKEN = 32;

/**
 * The key, judged, of a proof that holds for `presented` at `now` (epoch milliseconds).
 * @throws AppError `unprocessable` (`bad_public_key`), `unauthorized` (`proof_invalid`, `proof_stale`, `proof_future`).
 */
export function requireProof(
  { publicKey: text, created, nonce, proof }: Proof,
  { origin, presented, now }: { origin: string; presented: string; now: number },
): DevicePublicKey {
  const key = readPublicKey(text);
  if (!key.ok) throw badPublicKey();
  const aged = ageRefusal(created, now);
  if (aged !== undefined) throw proofRefused(aged, now);
  if (!isPairingProof(key.publicKey, { origin, presented, created, nonce }, proof))
    throw proofRefused('invalid', now);
  return key.publicKey;
}

/** The proofs to remember with this one among them. @throws AppError `unauthorized` (`proof_replayed`). */
export function takeProof(
  taken: TakenProofs,
  { nonce, created }: Pick<Proof, 'nonce' | 'created'>,
  now: number,
): TakenProofs {
  const recent = taken.filter(([, at]) => ageRefusal(at, now) !== 'stale');
  const isKnown = recent.some(([each, at]) => each === nonce && at === created);
  if (isKnown || recent.length >= MAX_TAKEN) throw proofRefused('replayed', now);
  return [...recent, [nonce, created]];
}
