import { MAX_AGE_SECONDS, MAX_AHEAD_SECONDS } from './constants.ts';
import { readContentDigest, type StatedDigests } from './content-digest.ts';
import { verifyTextSoon } from './ed25519-key.ts';
import type { DevicePublicKey } from './model.ts';
import { type RequestTarget, requestComponents, signatureBase } from './signature-base.ts';
import { readSignature, type StatedSignature, type StatementDefect } from './signature-input.ts';

/** Why a request is not taken for one that its device signed. Each has a code of its own outside. */
export type SignatureRefusal =
  | StatementDefect
  | 'stale'
  | 'future'
  | 'invalid'
  | 'digest_missing'
  | 'digest_malformed';

/** A request whose fields fit the profile; whether its key signed it is not known yet. */
export interface SignedRequest {
  readonly stated: StatedSignature;
  readonly contentDigest: string | undefined;
  /** What the body has to fit; `undefined` where there is none. */
  readonly digests: StatedDigests | undefined;
}

/** Reads what a request says of its signature. A refusal costs nobody a look-up. */
export function readSignedRequest(headers: Headers): SignedRequest | SignatureRefusal {
  const stated = readSignature(headers);
  if (typeof stated === 'string') return stated;
  // A body that is not covered could be any, and without a body there is nothing to cover.
  if (stated.coversDigest !== announcesBody(headers)) return 'components';
  if (!stated.coversDigest) return { stated, contentDigest: undefined, digests: undefined };
  const contentDigest = headers.get('content-digest');
  if (contentDigest === null) return 'digest_missing';
  const digests = readContentDigest(contentDigest);
  return digests === undefined ? 'digest_malformed' : { stated, contentDigest, digests };
}

/** Whether a body follows the head (RFC 9112 section 6.3). */
export function announcesBody(headers: Headers): boolean {
  const length = headers.get('content-length');
  return (length !== null && length !== '0') || headers.has('transfer-encoding');
}

/** How old a signature may be when it arrives, and how far ahead the clock of a device, in milliseconds. */
export interface SignatureWindow {
  maxAgeMs: number;
  maxAheadMs: number;
}

const DEFAULT_WINDOW: SignatureWindow = {
  maxAgeMs: MAX_AGE_SECONDS * 1_000,
  maxAheadMs: MAX_AHEAD_SECONDS * 1_000,
};

/** Whether something was made within the window around `now` (epoch milliseconds); `created` is in seconds. */
export function ageRefusal(
  created: number,
  now: number,
  { maxAgeMs, maxAheadMs }: SignatureWindow = DEFAULT_WINDOW,
): 'stale' | 'future' | undefined {
  const ageMs = now - created * 1_000;
  if (ageMs > maxAgeMs) return 'stale';
  return ageMs < -maxAheadMs ? 'future' : undefined;
}

/** Whether the key signed this very request; a promise when several come at once. */
export function isSignedBy(
  publicKey: DevicePublicKey,
  { stated, contentDigest }: SignedRequest,
  target: RequestTarget,
): boolean | Promise<boolean> {
  const base = signatureBase(requestComponents(target, contentDigest), stated.params);
  return verifyTextSoon(publicKey, base, stated.signature);
}
