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

/** What every refusal of a device tells besides, in seconds since 1970, as `created` is: it sets its clock by it. */
export const toldTime = (now: number) => ({ members: { server_time: Math.floor(now / 1_000) } });

/** The key that signed a request is the device's no more. */
export const keyReplaced = (now: number) =>
  new AppError('unauthorized', 'signature_invalid', 'The device has another key by now.', toldTime(now));

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

export type ProofFault = 'invalid' | 'stale' | 'future' | 'replayed';

export function proofRefused(fault: ProofFault, now: number): AppError {
  const told = toldTime(now);
  switch (fault) {
    case 'invalid':
      return new AppError(
        'unauthorized',
        'proof_invalid',
        'The proof was not made with this key for what is presented here.',
        told,
      );
    case 'stale':
      return new AppError(
        'unauthorized',
        'proof_stale',
        'The proof was made too long ago. Set the clock, and make a new one.',
        told,
      );
    case 'future':
      return new AppError(
        'unauthorized',
        'proof_future',
        'The proof is from the future. Set the clock, and make a new one.',
        told,
      );
    case 'replayed':
      return new AppError(
        'unauthorized',
        'proof_replayed',
        'This proof was taken already; make a new one.',
        told,
      );
  }
}
