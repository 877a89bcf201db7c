import { AppError, type ErrorKind } from '../lib/app-error.ts';
import { instantText } from '../lib/instant.ts';
import type { SignatureOutcome } from './metrics-signatures.ts';

export type SignatureRefusalReason = Exclude<SignatureOutcome, 'accepted'>;

const REFUSALS: Readonly<
  Record<SignatureRefusalReason, readonly [kind: ErrorKind, code: string, message: string]>
> = {
  missing: ['unauthorized', 'signature_missing', 'This needs a request that a paired device has signed.'],
  malformed: [
    'bad_request',
    'signature_malformed',
    'Signature-Input and Signature have to hold one signature, of one label, as RFC 9421 writes them.',
  ],
  components: [
    'bad_request',
    'signature_components',
    'A signature covers "@method", "@authority", "@path" and "@query", and "content-digest" where there is a body: those, in that order.',
  ],
  parameters: [
    'bad_request',
    'signature_parameters',
    'A signature has created, nonce, keyid and tag, each once, in the form of the profile.',
  ],
  stale: [
    'unauthorized',
    'signature_stale',
    'The signature was made too long ago, by the time of this server.',
  ],
  future: [
    'unauthorized',
    'signature_future',
    'The signature lies in the future, by the time of this server.',
  ],
  replayed: ['unauthorized', 'signature_replayed', 'This signature has been used.'],
  authority: ['unauthorized', 'signature_authority', 'Signed requests are not taken at this host.'],
  invalid: ['unauthorized', 'signature_invalid', 'The signature is not one of the device over this request.'],
  digest_missing: ['bad_request', 'digest_missing', 'A signed request with a body has a Content-Digest.'],
  digest_malformed: [
    'bad_request',
    'digest_malformed',
    'Content-Digest has to hold sha-256 or sha-512, as RFC 9530 writes them.',
  ],
  digest_mismatch: [
    'bad_request',
    'digest_mismatch',
    'The body is not the one that Content-Digest tells of.',
  ],
  unknown_device: ['unauthorized', 'unknown_device', 'No device that is paired here signs with this key id.'],
};

/** The refusal of a signed request, with the time that it was judged by (`now`, epoch milliseconds): a device sets its clock by it. */
export function signatureRefusal(reason: SignatureRefusalReason, now: number): AppError {
  const [kind, code, message] = REFUSALS[reason];
  return new AppError(kind, code, message, { members: { server_time: instantText(now) } });
}

/** What every route for devices may refuse a signed request with. */
export const SIGNATURE_REFUSALS = Object.values(REFUSALS).map(([kind, code]) => ({ kind, code }));
