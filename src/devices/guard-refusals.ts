import type { ApiRefusal } from '../http/api-route.ts';
import { AppError, type ErrorKind } from '../lib/app-error.ts';
import { toldTime } from './errors.ts';
import type { SignatureOutcome } from './metrics-signatures.ts';

export type SignatureRefusalReason = Exclude<SignatureOutcome, 'accepted'>;

/** Kind and words by code. */
const REFUSALS = {
  signature_missing: ['unauthorized', 'This needs a request that a paired device has signed.'],
  signature_malformed: [
    'bad_request',
    'Signature-Input and Signature have to hold one signature, of one label, as RFC 9421 writes them.',
  ],
  signature_components: [
    'bad_request',
    'A signature covers "@method", "@authority", "@path" and "@query", and "content-digest" where there is a body: those, in that order.',
  ],
  signature_parameters: [
    'bad_request',
    'A signature has created, nonce, keyid and tag, each once, in the form of the profile.',
  ],
  signature_stale: ['unauthorized', 'The signature was made too long ago, by the time of this server.'],
  signature_future: ['unauthorized', 'The signature lies in the future, by the time of this server.'],
  signature_replayed: ['unauthorized', 'This signature has been used.'],
  signature_authority: [
    'unauthorized',
    'The request was signed for another host, or signed requests are not taken at this one.',
  ],
  signature_invalid: ['unauthorized', 'The signature is not one of the device over this request.'],
  digest_missing: ['bad_request', 'A signed request with a body has a Content-Digest.'],
  digest_malformed: [
    'bad_request',
    'Content-Digest has to hold sha-256 or sha-512, as RFC 9530 writes them.',
  ],
  digest_mismatch: ['bad_request', 'The body is not the one that Content-Digest tells of.'],
  device_not_paired: ['unauthorized', 'No device that is paired here signs with this key id.'],
} as const satisfies Record<string, readonly [ErrorKind, string]>;

type RefusalCode = keyof typeof REFUSALS;

const CODES: Readonly<Record<SignatureRefusalReason, RefusalCode>> = {
  missing: 'signature_missing',
  malformed: 'signature_malformed',
  components: 'signature_components',
  parameters: 'signature_parameters',
  stale: 'signature_stale',
  future: 'signature_future',
  replayed: 'signature_replayed',
  authority: 'signature_authority',
  invalid: 'signature_invalid',
  digest_missing: 'digest_missing',
  digest_malformed: 'digest_malformed',
  digest_mismatch: 'digest_mismatch',
  unknown_device: 'device_not_paired',
};

/** The refusal of a signed request, with the time that it was judged by (`now`, epoch milliseconds): a device sets its clock by it. */
export function signatureRefusal(reason: SignatureRefusalReason, now: number): AppError {
  const code = CODES[reason];
  const [kind, message] = REFUSALS[code];
  return new AppError(kind, code, message, toldTime(now));
}

/** What every route for devices may refuse a signed request with. */
export const SIGNATURE_REFUSALS: readonly ApiRefusal[] = Object.entries(REFUSALS).map(([code, [kind]]) => ({
  kind,
  code,
}));
