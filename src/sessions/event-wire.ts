import type { Session, SessionId, SessionKind } from './model.ts';

/** The two streams: that of devices is in a format which other systems speak too. */
export type EventStreamName = 'sessions' | 'devices';

/** What became of a session, as another process says it. Only `id` and `status` are ever acted on. */
export interface SessionChange {
  readonly type: 'session';
  readonly kind: SessionKind;
  readonly id: SessionId;
  readonly userId: string;
  readonly status: Session['status'];
  /** Epoch milliseconds. */
  readonly revokedAt: number | undefined;
  /** Of devices: standard base64 of the 32 bytes. */
  readonly clientPublicKey: string | undefined;
}

/** Sent and read back by each process, so that it knows how old its knowledge is. */
export interface Heartbeat {
  readonly type: 'heartbeat';
  /** A random name of the process. */
  readonly node: string;
  readonly sequence: number;
}

export type WireEvent = SessionChange | Heartbeat;

/** `named`: the sessions that an event which was refused speaks of. */
export type DecodedEvent =
  | { readonly ok: true; readonly event: WireEvent }
  | { readonly ok: false; readonly problem: string; readonly named: readonly SessionId[] };

/** Fields and values one after the other, as `XADD` takes them. */
export type WireFields = readonly string[];

/** No id and no key of ours is a quarter of it. */
const MAX_VALUE_LENGTH = 256;
/** The last instant that is a date (ECMA-262 section 21.4.1.1). */
const MAX_TIME_MS = 8_640_000_000_000_000;
const INTEGER = /^(?:0|[1-9][0-9]{0,15})$/;
/** 32 bytes in standard base64 (RFC 4648 section 4): the last letter before the padding carries two bits of nothing. */
const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

const ID_FIELD = { sessions: 'session_id', devices: 'device_session_id' } as const;
const OPTIONAL = 'revoked_at_ms';
const FIELDS = {
  sessions: ['kind', 'session_id', 'user_id', 'status'],
  devices: ['device_session_id', 'user_id', 'client_public_key', 'status'],
  heartbeat: ['kind', 'node', 'sequence'],
} as const;

/** What makes an event refused; never leaves this file. */
class Malformed extends Error {}

type Fields = ReadonlyMap<string, unknown>;

/**
 * Reads one entry of a stream, strictly: each field once, none but those of the format, no blanks, nothing trimmed. Anybody
 * who reaches Redis may have written it. Never throws.
 */
export function decodeEvent(stream: EventStreamName, entry: unknown): DecodedEvent {
  try {
    return { ok: true, event: toEvent(stream, toFields(entry)) };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { ok: false, problem: error.message, named: sessionsNamed(stream, entry) };
  }
}

/** What of a session an event tells. */
type Encoded = {
  readonly id: string;
  readonly userId: string;
  readonly revokedAt?: number | undefined;
} & Pick<Session, 'kind' | 'status'> &
  Partial<Pick<Session, 'clientPublicKey'>>;

/** The stream that a session's events go to, and the fields of one. A device without its key has no format. */
export function encodeEvent(session: Encoded): { stream: EventStreamName; fields: string[] } {
  const { id, userId, status, revokedAt, kind } = session;
  const ends = revokedAt === undefined ? [] : [OPTIONAL, String(revokedAt)];
  if (kind === 'device') {
    const key = Buffer.from(session.clientPublicKey ?? '', 'base64url').toString('base64');
    const fields = ['device_session_id', id, 'user_id', userId, 'client_public_key', key, 'status', status];
    return { stream: 'devices', fields: [...fields, ...ends] };
  }
  const fields = ['kind', kind, 'session_id', id, 'user_id', userId, 'status', status];
  return { stream: 'sessions', fields: [...fields, ...ends] };
}

/**
 * Says that everything of a person is to be read again, whatever of it is in memory somewhere: the id of the person stands in
 * the place of a session's, and for all of them.
 */
export function encodePerson(userId: string): { stream: EventStreamName; fields: string[] } {
  return encodeEvent({ kind: 'user', id: userId, userId, status: 'active' });
}

export const isOfPerson = ({ id, userId }: Pick<SessionChange, 'id' | 'userId'>): boolean =>
  (id as string) === userId;

export function encodeHeartbeat(node: string, sequence: number): string[] {
  return ['kind', 'heartbeat', 'node', node, 'sequence', String(sequence)];
}

function toFields(entry: unknown): Fields {
  if (!Array.isArray(entry)) throw new Malformed('not a list of fields');
  if (entry.length % 2 !== 0) throw new Malformed('a field without a value');
  const fields = new Map<string, unknown>();
  for (let at = 0; at < entry.length; at += 2) {
    const name: unknown = entry[at];
    if (typeof name !== 'string') throw new Malformed('a field whose name is no text');
    if (fields.has(name)) throw new Malformed('a field twice');
    fields.set(name, entry[at + 1]);
  }
  return fields;
}

function toEvent(stream: EventStreamName, fields: Fields): WireEvent {
  if (stream === 'sessions' && fields.get('kind') === 'heartbeat') return toHeartbeat(fields);
  requireOnly(fields, [...FIELDS[stream], OPTIONAL]);
  const isOfDevice = stream === 'devices';
  return {
    type: 'session',
    kind: isOfDevice ? 'device' : toKind(text(fields, 'kind')),
    id: text(fields, ID_FIELD[stream]) as SessionId,
    userId: text(fields, 'user_id'),
    clientPublicKey: isOfDevice ? toKey(text(fields, 'client_public_key')) : undefined,
    status: toStatus(text(fields, 'status')),
    revokedAt: fields.has(OPTIONAL) ? integer(fields, OPTIONAL, MAX_TIME_MS) : undefined,
  };
}

function toHeartbeat(fields: Fields): Heartbeat {
  requireOnly(fields, FIELDS.heartbeat);
  return {
    type: 'heartbeat',
    node: text(fields, 'node'),
    sequence: integer(fields, 'sequence', Number.MAX_SAFE_INTEGER),
  };
}

function requireOnly(fields: Fields, known: readonly string[]): void {
  for (const name of fields.keys()) {
    if (!known.includes(name)) throw new Malformed('a field that is not supported');
  }
}

function text(fields: Fields, name: string): string {
  const value = fields.get(name);
  if (value === undefined) throw new Malformed(`${name} is missing`);
  if (typeof value !== 'string') throw new Malformed(`${name} is no text`);
  if (value.trim() === '') throw new Malformed(`${name} is blank`);
  if (value.length > MAX_VALUE_LENGTH) throw new Malformed(`${name} is too long`);
  return value;
}

/** A number, or the text of one in its one form. */
function integer(fields: Fields, name: string, max: number): number {
  const value = fields.get(name);
  const number = typeof value === 'number' ? value : toNumber(text(fields, name));
  if (Number.isSafeInteger(number) && number >= 0 && number <= max) return number;
  throw new Malformed(`${name} is no integer`);
}

const toNumber = (value: string) => (INTEGER.test(value) ? Number(value) : Number.NaN);

function toKind(kind: string): SessionKind {
  if (kind === 'user' || kind === 'grant') return kind;
  throw new Malformed('a kind that is not supported');
}

function toStatus(status: string): Session['status'] {
  if (status === 'active' || status === 'revoked') return status;
  throw new Malformed('a status that is not supported');
}

function toKey(key: string): string {
  if (KEY.test(key)) return key;
  throw new Malformed('client_public_key is not 32 bytes in base64');
}

/** Every id in the place of the session's, however often it stands there: a blank one names nothing. */
function sessionsNamed(stream: EventStreamName, entry: unknown): SessionId[] {
  if (!Array.isArray(entry)) return [];
  const named = new Set<SessionId>();
  for (let at = 0; at + 1 < entry.length; at += 2) {
    const value: unknown = entry[at + 1];
    if (entry[at] !== ID_FIELD[stream] || typeof value !== 'string') continue;
    if (value.trim() !== '' && value.length <= MAX_VALUE_LENGTH) named.add(value as SessionId);
  }
  return [...named];
}
