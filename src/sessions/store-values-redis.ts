import { createHash } from 'node:crypto';
import { constantTimeEqual } from '@oslojs/crypto/subtle';
import { interner } from '../lib/interner.ts';
import { type DerivedKey, type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import type { Audience, Session, SessionId, TokenHash } from './model.ts';
import { sessionKey } from './store-scripts-redis.ts';

const VALUES = keyPurpose('session values in redis');
/** What is written by a later program in another form is not read by this one. */
const FORM = 1;

/** What Redis gives back of a session, in the order of `FIELDS`; anybody may have written it. */
export type StoredFields = readonly [id: string, ...fields: (string | null | undefined)[]];

/** A browser session as Redis holds it, and the hash of its cookie. */
export interface HeldSession {
  readonly session: Session;
  readonly hash: TokenHash;
}

/** What is written of a session. */
export interface SealedSession {
  readonly body: string;
  readonly mac: string;
  readonly seen: string;
  readonly seenMac: string;
}

type Body = Omit<Session, 'lastSeenAt' | 'status' | 'revokedAt' | 'revokeReason'>;

export type SessionValues = ReturnType<typeof sessionValues>;

/**
 * Values in Redis that only this appliance can have written. The MAC of a body binds it to its key, to the credential and to the
 * `epoch` of the database, which is another one once a backup of it was restored; the
 * last use has one of its own, so that it can be moved without reading the rest. What was put together from two sessions, or
 * moved to another place, is no value. The keys are ours alone: whoever writes to Redis can take sessions away, not make them.
 */
export function sessionValues(ring: KeyRing, epoch: string) {
  const keys = ring.keys(VALUES);
  const macs = new WeakMap<Uint8Array, Bun.CryptoHasher>();
  const macOf = ({ bytes }: DerivedKey, parts: readonly (string | number)[]): string => {
    const template = macs.get(bytes) ?? new Bun.CryptoHasher('sha256', bytes);
    macs.set(bytes, template);
    // As JSON, so that no two lists of parts read the same.
    return template.copy().update(JSON.stringify(parts)).digest('base64url');
  };
  const isGenuine = (mac: string, parts: readonly (string | number)[]) =>
    keys.some((key) => isSameText(mac, macOf(key, parts)));

  const bodyParts = (id: string, hash: string, body: string) => [
    'session',
    FORM,
    epoch,
    sessionKey(id),
    hash,
    body,
  ];
  const seenParts = (id: string, seen: string) => ['last use', FORM, sessionKey(id), seen];

  return {
    seal(session: Session, hash: TokenHash): SealedSession {
      const [key] = keys;
      const body = JSON.stringify(toBody(session));
      const seen = String(session.lastSeenAt);
      return {
        body,
        mac: macOf(key, bodyParts(session.id, hash, body)),
        seen,
        seenMac: macOf(key, seenParts(session.id, seen)),
      };
    },

    sealLastUse: (id: SessionId, at: number): string => macOf(keys[0], seenParts(id, String(at))),

    /** `undefined`: not what this appliance wrote there. With `hash`, the credential that it was found by. */
    open([id, body, mac, hash, seen, seenMac]: StoredFields, foundBy?: TokenHash): HeldSession | undefined {
      if (!isText(body) || !isText(mac) || !isText(hash) || !isText(seen) || !isText(seenMac))
        return undefined;
      if (foundBy !== undefined && foundBy !== hash) return undefined;
      if (!isGenuine(mac, bodyParts(id, hash, body)) || !isGenuine(seenMac, seenParts(id, seen)))
        return undefined;
      const session = toSession(JSON.parse(body) as Body, Number(seen));
      return { session, hash: hash as TokenHash };
    },
  };
}

/** Stands for a session at a provider, whose own name for it is nobody's business in the name of a key. */
export function providerSidDigest(provider: string, sid: string): string {
  return createHash('sha256')
    .update(JSON.stringify([provider, sid]))
    .digest('base64url');
}

function toBody(session: Session): Body {
  const { lastSeenAt: _seen, status: _status, revokedAt: _at, revokeReason: _reason, ...body } = session;
  return body;
}

/** Many sessions have the same few; one copy of each keeps them close together in memory. */
const audiences = interner((json: string) => Object.freeze(JSON.parse(json)) as readonly Audience[]);

/** Members that JSON leaves out are there all the same: a session has each of them. */
function toSession(body: Body, lastSeenAt: number): Session {
  const { provider, providerSid, address, userAgent } = body.origin;
  return {
    id: body.id,
    kind: body.kind,
    userId: body.userId,
    parentId: body.parentId,
    audience: audiences(JSON.stringify(body.audience)),
    status: 'active',
    revokedAt: undefined,
    revokeReason: undefined,
    createdAt: body.createdAt,
    lastSeenAt,
    idleTimeoutMs: body.idleTimeoutMs,
    expiresAt: body.expiresAt,
    origin: { provider, providerSid, address, userAgent },
    label: body.label,
    clientId: body.clientId,
    scope: body.scope,
    deviceId: body.deviceId,
    clientPublicKey: body.clientPublicKey,
  };
}

const isText = (value: string | null | undefined): value is string => typeof value === 'string';

function isSameText(one: string, other: string): boolean {
  return constantTimeEqual(Buffer.from(one), Buffer.from(other));
}
