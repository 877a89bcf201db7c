import type { ApiRefusal } from '../http/api-route.ts';
import { AppError } from '../lib/app-error.ts';
import type { SignatureOutcome } from './metrics-signatures.ts';

export type SignatureRefusalReason = Exclude<SignatureOutcome, 'accepted'>;

type Refuse = (told: { members?: Readonly<Record<string, number>> }) => AppError;

const REFUSALS: Readonly<Record<SignatureRefusalReason, Refuse>> = {
  missing: (told) =>
    new AppError(
      'unauthorized',
      'signature_missing',
      'This needs a request that a paired device has signed.',
      told,
    ),
  malformed: (told) =>
    new AppError(
      'bad_request',
      'signature_malformed',
      'Signature-Input and Signature have to hold one signature, of one label, as RFC 9421 writes them.',
      told,
    ),
  components: (told) =>
    new AppError(
      'bad_request',
      'signature_components',
      'A signature covers "@method", "@authority", "@path" and "@query", and "content-digest" where there is a body: those, in that order.',
      told,
    ),
  parameters: (told) =>
    new AppError(
      'bad_request',
      'signature_parameters',
      'A signature has created, nonce, keyid and tag, each once, in the form of the profile.',
      told,
    ),
  stale: (told) =>
    new AppError(
      'unauthorized',
      'signature_stale',
      'The signature was made too long ago, by the time of this server.',
      told,
    ),
  future: (told) =>
    new AppError(
      'unauthorized',
      'signature_future',
      'The signature lies in the future, by the time of this server.',
      told,
    ),
  replayed: (told) =>
    new AppError('unauthorized', 'signature_replayed', 'This signature has been used.', told),
  authority: (told) =>
    new AppError('unauthorized', 'signature_authority', 'Signed requests are not taken at this host.', told),
  invalid: (told) =>
    new AppError(
      'unauthorized',
      'signature_invalid',
      'The signature is not one of the device over this request.',
      told,
    ),
  digest_missing: (told) =>
    new AppError('bad_request', 'digest_missing', 'A signed request with a body has a Content-Digest.', told),
  digest_malformed: (told) =>
    new AppError(
      'bad_request',
      'digest_malformed',
      'Content-Digest has to hold sha-256 or sha-512, as RFC 9530 writes them.',
      told,
    ),
  digest_mismatch: (told) =>
    new AppError(
      'bad_request',
      'digest_mismatch',
      'The body is not the one that Content-Digest tells of.',
      told,
    ),
  unknown_device: (told) =>
    new AppError(
      'unauthorized',
      'device_not_paired',
      'No device that is paired here signs with this key id.',
      told,
    ),
};

/** What every refusal of a device tells besides, in seconds since 1970, as `created` is. */
export const toldTime = (now: number) => ({ members: { server_time: Math.floor(now / 1_000) } });

/** The refusal of a signed request, with the time that it was judged by (`now`, epoch milliseconds): a device sets its clock by it. */
export function signatureRefusal(reason: SignatureRefusalReason, now: number): AppError {
  return REFUSALS[reason](toldTime(now));
}

/** What every route for devices may refuse a signed request with. */
export const SIGNATURE_REFUSALS: readonly ApiRefusal[] = Object.values(REFUSALS).map((refuse) => {
  const { kind, code } = refuse({});
  return { kind, code };
});
