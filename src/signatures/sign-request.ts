import { encodeBase64urlNoPadding } from '@oslojs/encoding';
import { randomBytes } from '../lib/random.ts';
import { REQUEST_TAG } from './constants.ts';
import { contentDigest } from './content-digest.ts';
import type { DeviceKey } from './ed25519-key.ts';
import { requestComponents, signatureBase } from './signature-base.ts';

/** A request that is about to be sent. */
export interface RequestToSign {
  /** As it will be sent, in upper case. */
  method: string;
  url: URL;
  /** Absent or empty: the request has none, and must announce none. */
  body?: Uint8Array;
}

/** Who signs, and when. */
export interface RequestSigner {
  key: DeviceKey;
  /** The id of the device session. */
  sessionId: string;
  /** Epoch milliseconds, as the server would say it. */
  now: number;
}

/** The fields that a signed request carries besides its own. */
export type SignatureHeaders = Readonly<
  Record<'signature-input' | 'signature', string> & Partial<Record<'content-digest', string>>
>;

/** 128 bits, so that no two are ever the same. */
const NONCE_BYTES = 16;
const LABEL = 'sig';

/** A value for once, base64url. */
export function newNonce(): string {
  return encodeBase64urlNoPadding(randomBytes(NONCE_BYTES));
}

/** Signs a request in the profile of devices (RFC 9421 section 3.1); the fields are good for one request, for a minute. */
export function signRequest(request: RequestToSign, signer: RequestSigner): SignatureHeaders {
  return signRequestOnce(request, signer, newNonce());
}

/** The same with a nonce that was chosen already: nobody may have used it. */
export function signRequestOnce(
  { method, url, body }: RequestToSign,
  { key, sessionId, now }: RequestSigner,
  nonce: string,
): SignatureHeaders {
  const digest = body === undefined || body.byteLength === 0 ? undefined : contentDigest(body);
  const components = requestComponents({ method, authority: url.host, url: url.href }, digest);
  const names = components.map(([name]) => `"${name}"`).join(' ');
  const created = Math.floor(now / 1_000);
  const params = `(${names});created=${created};nonce="${nonce}";keyid="${sessionId}";tag="${REQUEST_TAG}"`;
  const signature = Buffer.from(key.sign(signatureBase(components, params))).toString('base64');
  return {
    'signature-input': `${LABEL}=${params}`,
    signature: `${LABEL}=:${signature}:`,
    ...(digest === undefined ? {} : { 'content-digest': digest }),
  };
}
