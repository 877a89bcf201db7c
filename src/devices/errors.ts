import { AppError } from '../lib/app-error.ts';

/** Unknown, expired, used by another and foreign codes look alike. */
export const pairingRefused = () =>
  new AppError(
    'forbidden',
    'pairing_refused',
    'No device can be paired with this: it is unknown, was used, or ran out. Make a new code.',
  );

export const badPublicKey = () =>
  new AppError(
    'unprocessable',
    'bad_public_key',
    'The key is not an Ed25519 public key: 32 bytes in base64url without padding, canonical and of full order.',
  );

export const keyInUse = () =>
  new AppError('conflict', 'key_in_use', 'A paired device has this key; a device needs one of its own.');

export const serialInUse = () =>
  new AppError(
    'conflict',
    'serial_in_use',
    'A paired device has this serial number. Unpair it before it is paired again.',
  );

export const tooManyDevices = (limit: number) =>
  new AppError(
    'unprocessable',
    'too_many_devices',
    `One person has at most ${limit} devices; unpair one that is not needed any more.`,
  );

export const tooManyPairings = (limit: number) =>
  new AppError(
    'unprocessable',
    'too_many_pairings',
    `One person has at most ${limit} codes waiting; cancel one, or wait until one runs out.`,
  );

/** Every refusal of a proof tells the time, so that a device whose clock is wrong can correct itself once. */
export const proofRefused = (why: ProofFault, now: number) =>
  new AppError('unauthorized', `proof_${why}`, PROOF_TEXTS[why], {
    members: { server_time: Math.floor(now / 1_000) },
  });

export type ProofFault = 'invalid' | 'stale' | 'future' | 'replayed';

const PROOF_TEXTS: Readonly<Record<ProofFault, string>> = {
  invalid: 'The proof was not made with this key for what is presented here.',
  stale: 'The proof was made too long ago. Set the clock, and make a new one.',
  future: 'The proof is from the future. Set the clock, and make a new one.',
  replayed: 'This proof was taken already; make a new one.',
};
