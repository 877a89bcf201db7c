import { timingSafeEqual } from 'node:crypto';
import { encodeBase64urlNoPadding } from '@oslojs/encoding';
import { type DerivedKey, type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { randomBytes } from '../lib/random.ts';
import type { SessionId } from '../sessions/model.ts';

const PURPOSE = keyPurpose('mcp request state');
const NONCE_BYTES = 16;

/** What a `requestState` is good for, and nothing else. */
export interface StateBinding {
  readonly userId: string;
  readonly sessionId: SessionId;
  readonly backend: string;
}

export interface RequestStates {
  /** A new one; `nonce` names the call that waits for it. */
  issue(
    binding: StateBinding,
    parked: { generation: number; issuedAt: number },
  ): { state: string; nonce: string };
  /** What a genuine one of this binding names; `undefined` for anything else. */
  verify(
    state: string,
    binding: StateBinding,
  ): { nonce: string; generation: number; issuedAt: number } | undefined;
}

const STATE = /^v1\.([A-Za-z0-9_-]{22})\.(\d{1,12})\.(\d{1,16})\.([A-Za-z0-9_-]{43})$/;

/**
 * `requestState` of 2026-07-28 (basic patterns, "Multi round-trip requests"): it goes through the client, so that it says
 * nothing and is worth nothing to anybody else.
 */
export function requestStates(ring: KeyRing): RequestStates {
  const keys = ring.keys(PURPOSE);
  return {
    issue(binding, { generation, issuedAt }) {
      const nonce = encodeBase64urlNoPadding(randomBytes(NONCE_BYTES));
      const mac = sign(keys[0], binding, nonce, generation, issuedAt);
      return { nonce, state: `v1.${nonce}.${generation}.${issuedAt}.${mac.toString('base64url')}` };
    },
    verify(state, binding) {
      const [, nonce, generation, issuedAt, mac] = STATE.exec(state) ?? [];
      if (nonce === undefined || mac === undefined) return undefined;
      const found = { nonce, generation: Number(generation), issuedAt: Number(issuedAt) };
      const given = Buffer.from(mac, 'base64url');
      const isGenuine = keys.some((key) => {
        const expected = sign(key, binding, nonce, found.generation, found.issuedAt);
        return expected.length === given.length && timingSafeEqual(expected, given);
      });
      return isGenuine ? found : undefined;
    },
  };
}

function sign(
  key: DerivedKey,
  { userId, sessionId, backend }: StateBinding,
  nonce: string,
  generation: number,
  issuedAt: number,
): Buffer {
  const text = JSON.stringify([userId, sessionId, backend, nonce, generation, issuedAt]);
  return Buffer.from(new Bun.CryptoHasher('sha256', key.bytes).update(text).digest());
}
