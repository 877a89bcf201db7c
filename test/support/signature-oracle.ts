import { createHash } from 'node:crypto';
import { type VerifiedSignature, verifySignature, webcrypto } from 'http-message-sig';
import { REQUEST_TAG } from '../../src/signatures/constants.ts';
import { fitsDigests } from '../../src/signatures/content-digest.ts';
import type { DeviceKey } from '../../src/signatures/ed25519-key.ts';
import { ageRefusal, isSignedBy, readSignedRequest } from '../../src/signatures/verify-request.ts';

/** A request as it stands on the wire. */
export interface WireRequest {
  method: string;
  url: string;
  fields: Readonly<Record<string, string>>;
  body: string;
}

export interface OracleKey {
  key: DeviceKey;
  sessionId: string;
  /** Epoch milliseconds. */
  now: number;
}

const COMPONENTS = ['@method', '@authority', '@path', '@query'];
const PARAMETERS = ['created', 'keyid', 'nonce', 'tag'];

/** Whether our verifier takes the request, body included. */
export async function ourVerdict(request: WireRequest, { key, sessionId, now }: OracleKey): Promise<boolean> {
  const signed = readSignedRequest(new Headers(request.fields));
  if (typeof signed === 'string' || signed.stated.keyId !== sessionId) return false;
  if (ageRefusal(signed.stated.created, now) !== undefined) return false;
  const { method, url } = request;
  if (!(await isSignedBy(key.publicKey, signed, { method, url, authority: new URL(url).host }))) return false;
  return signed.digests === undefined || fitsDigests(signed.digests, Buffer.from(request.body));
}

/** Whether `http-message-sig` does, where nothing but our profile is let through to it. */
export async function theirVerdict(
  request: WireRequest,
  { key, sessionId, now }: OracleKey,
): Promise<boolean> {
  if (!isCanonical(request.fields)) return false;
  const x = key.publicKey;
  const imported = await crypto.subtle.importKey('jwk', { kty: 'OKP', crv: 'Ed25519', x }, 'Ed25519', true, [
    'verify',
  ]);
  const message = {
    kind: 'request' as const,
    method: request.method,
    targetUri: request.url,
    fields: Object.entries(request.fields).map(([name, value]) => ({ name, value })),
  };
  try {
    await verifySignature(message, {
      policy: {
        algorithms: ['ed25519'],
        requiredComponents: COMPONENTS,
        requiredParameters: PARAMETERS,
        now: Math.floor(now / 1_000),
        clockSkew: 30,
        validate: (verified) => isOfProfile(verified, request, now),
      },
      resolveVerifier({ parameters }) {
        if (parameters.keyid !== sessionId) throw new Error('another key');
        return webcrypto.verifier(imported);
      },
    });
    return true;
  } catch {
    return false;
  }
}

/** What the profile asks beyond what the library checks, from what the library has read. */
function isOfProfile(
  { components, parameters }: VerifiedSignature,
  request: WireRequest,
  now: number,
): boolean {
  const hasBody = (request.fields['content-length'] ?? '0') !== '0';
  const names = [...COMPONENTS, ...(hasBody ? ['content-digest'] : [])];
  if (components.some(({ parameters }) => Object.keys(parameters).length > 0)) return false;
  if (components.map(({ name }) => name).join() !== names.join()) return false;
  const given = Object.keys(parameters).filter((name) => name !== 'alg');
  if (given.toSorted((a, b) => a.localeCompare(b)).join() !== PARAMETERS.join()) return false;
  const { created = 0, nonce = '', tag } = parameters;
  if (created < 1 || created > 999_999_999_999) return false;
  if (now / 1_000 - created > 60 || created - now / 1_000 > 30) return false;
  if (tag !== REQUEST_TAG || !/^[A-Za-z0-9+/=_-]{16,88}$/.test(nonce)) return false;
  return !hasBody || hasDigest(request);
}

function hasDigest({ fields, body }: WireRequest): boolean {
  const members = (fields['content-digest'] ?? '').split(',').map((member) => member.trim());
  const digest = (name: string) =>
    `${name}=:${createHash(name.replace('-', '')).update(body).digest('base64')}:`;
  const known = [digest('sha-256'), digest('sha-512')];
  return new Set(members).size === members.length && members.every((member) => known.includes(member));
}

/** The library reads blanks, capital digits and unpadded bytes as structured fields allow; the profile has one way to write. */
function isCanonical(fields: Readonly<Record<string, string>>): boolean {
  const { signature = '', 'signature-input': input = '' } = fields;
  const bytes = /^[a-z*][a-z0-9_.*-]*=:([A-Za-z0-9+/=]*):$/.exec(signature)?.[1];
  if (bytes === undefined || Buffer.from(bytes, 'base64').toString('base64') !== bytes) return false;
  return /^[a-z*][a-z0-9_.*-]*=\((?:"[^" ]*"(?: (?!\)))?)*\)(?:;[a-z]+=(?:"[^"]*"|[1-9][0-9]*))*$/.test(
    input,
  );
}
