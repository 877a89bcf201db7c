import { PAIRING_CONTEXT, SIGNATURE_BYTES } from './constants.ts';
import { type DeviceKey, verifyText } from './ed25519-key.ts';
import type { DevicePublicKey } from './model.ts';

/** What a device states when it pairs: that it holds the key, here and now, for this code. */
export interface PairingClaim {
  /** The origin of the appliance's `url`. */
  readonly origin: string;
  /** The code or the token, exactly as it is presented beside the proof. */
  readonly presented: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly nonce: string;
}

/** The proof of a claim: the signature, base64url without padding, 86 characters. */
export function signPairing(key: DeviceKey, claim: PairingClaim): string {
  return Buffer.from(key.sign(claimText(claim))).toString('base64url');
}

/** Whether the holder of the key made this proof for this claim; its age is another question. */
export function isPairingProof(publicKey: DevicePublicKey, claim: PairingClaim, proof: string): boolean {
  const signature = Buffer.from(proof, 'base64url');
  if (signature.byteLength !== SIGNATURE_BYTES || signature.toString('base64url') !== proof) return false;
  // A line break would let the end of one line pass for the next.
  if ([claim.origin, claim.presented, claim.nonce].some((line) => line.includes('\n'))) return false;
  return verifyText(publicKey, claimText(claim), signature);
}

function claimText({ origin, presented, created, nonce }: PairingClaim): string {
  return [PAIRING_CONTEXT, origin, presented, created, nonce].join('\n');
}
