import { describe, expect, test } from 'bun:test';
import {
  decodeEvent,
  type EventStreamName,
  encodeEvent,
  encodeHeartbeat,
  encodePerson,
  isOfPerson,
} from '../../../src/sessions/event-wire.ts';
import type { Session, SessionId } from '../../../src/sessions/model.ts';

const ID = 'ses_aaaaaaaaaaaaaaaaaaaaaaaaaa';
const USER = 'usr_bbbbbbbbbbbbbbbbbbbbbbbbbb';
const KEY = Buffer.alloc(32, 9).toString('base64');

type Row = Record<string, unknown>;
const SESSION: Row = { kind: 'user', session_id: ID, user_id: USER, status: 'revoked' };
const DEVICE: Row = { device_session_id: ID, user_id: USER, client_public_key: KEY, status: 'revoked' };
const HEARTBEAT: Row = { kind: 'heartbeat', node: 'n1', sequence: '7' };

const flat = (row: Row): unknown[] => Object.entries(row).flat();
const without = (row: Row, name: string): Row =>
  Object.fromEntries(Object.entries(row).filter(([key]) => key !== name));

interface Format {
  name: string;
  stream: EventStreamName;
  row: Row;
  idField: string | undefined;
}
const FORMATS: readonly Format[] = [
  { name: 'session', stream: 'sessions', row: SESSION, idField: 'session_id' },
  { name: 'device', stream: 'devices', row: DEVICE, idField: 'device_session_id' },
  { name: 'heartbeat', stream: 'sessions', row: HEARTBEAT, idField: undefined },
];

function refused(stream: EventStreamName, entry: unknown): readonly string[] {
  const decoded = decodeEvent(stream, entry);
  if (decoded.ok) throw new Error(`accepted: ${JSON.stringify(entry)}`);
  expect(decoded.problem).not.toBe('');
  return decoded.named;
}

function accepted(stream: EventStreamName, entry: unknown) {
  const decoded = decodeEvent(stream, entry);
  if (!decoded.ok) throw new Error(decoded.problem);
  return decoded.event;
}

describe('what is well formed', () => {
  test.each(['active', 'revoked'])('a session that is %s', (status) => {
    expect(accepted('sessions', flat({ ...SESSION, status }))).toEqual({
      type: 'session',
      kind: 'user',
      id: ID as SessionId,
      userId: USER,
      status: status as 'active',
      revokedAt: undefined,
      clientPublicKey: undefined,
    });
    expect(accepted('devices', flat({ ...DEVICE, status }))).toMatchObject({
      kind: 'device',
      clientPublicKey: KEY,
      status,
    });
  });

  test.each([['1700000000000'], [1_700_000_000_000], [0], ['0'], ['8640000000000000']])(
    'an instant may be %p',
    (at) => {
      const entry = flat({ ...SESSION, revoked_at_ms: at });
      expect(accepted('sessions', entry)).toMatchObject({ revokedAt: Number(at) });
    },
  );

  test('fields in any order', () => {
    const event = accepted('devices', Object.entries(DEVICE).toReversed().flat());
    expect(event).toMatchObject({ id: ID });
  });

  test.each([ID.padStart(40), `${ID}\n`, `\t${ID}`])('an id is kept as it is: %j', (id) => {
    expect(accepted('sessions', flat({ ...SESSION, session_id: id }))).toMatchObject({ id });
    expect(accepted('devices', flat({ ...DEVICE, device_session_id: id }))).toMatchObject({ id });
  });

  test('a user id is kept as it is', () => {
    expect(accepted('sessions', flat({ ...SESSION, user_id: ` ${USER}` }))).toMatchObject({
      userId: ` ${USER}`,
    });
  });

  test.each([7, '7'])('a heartbeat, %p', (sequence) => {
    expect(accepted('sessions', flat({ ...HEARTBEAT, sequence }))).toEqual({
      type: 'heartbeat',
      node: 'n1',
      sequence: 7,
    });
  });
});

describe.each([...FORMATS])('of a $name', ({ stream, row, idField }) => {
  const named = (given: Row) => {
    const id = idField === undefined ? undefined : given[idField];
    return typeof id === 'string' && id.trim() !== '' ? [id] : [];
  };

  describe.each(Object.keys(row))('%s', (field) => {
    test('missing', () => {
      const left = without(row, field);
      expect(refused(stream, flat(left))).toEqual(
        field === 'kind' && idField === undefined ? [] : named(left),
      );
    });

    test('doubled, with the same value and with another', () => {
      const again = idField === field ? 'ses_another' : row[field];
      expect(refused(stream, [...flat(row), field, row[field]])).toEqual(named(row));
      const both = idField === field ? [ID, 'ses_another'] : named(row);
      expect(refused(stream, [...flat(row), field, again])).toEqual(both);
    });

    test.each(['', ' ', '\t\n', '\u00a0'])('blank: %j', (blank) => {
      const given = { ...row, [field]: blank };
      expect(refused(stream, flat(given))).toEqual(named(given));
    });

    test.each([
      [null],
      [undefined],
      [true],
      [1.5],
      [-1],
      [Number.NaN],
      [[]],
      [{}],
      [Buffer.from('x')],
      [12n],
    ])('of another type: %p', (value) => {
      const given = { ...row, [field]: value };
      expect(refused(stream, flat(given))).toEqual(named(given));
    });

    test('endless', () => {
      const given = { ...row, [field]: 'x'.repeat(1_000_000) };
      expect(refused(stream, flat(given))).toEqual(idField === field ? [] : named(given));
    });
  });

  test('with a field that is not supported', () => {
    for (const extra of ['reason', 'Status', 'status ', '__proto__', '', 'audience'])
      expect(refused(stream, [...flat(row), extra, 'x'])).toEqual(named(row));
  });
});

describe('what is refused besides', () => {
  const STATUSES = [
    'Active',
    'REVOKED',
    ' active',
    'revoked ',
    'expired',
    'ended',
    '1',
    'true',
    'null',
    'active\0',
  ];
  test.each(STATUSES)('status %j', (status) => {
    expect(refused('sessions', flat({ ...SESSION, status }))).toEqual([ID]);
    expect(refused('devices', flat({ ...DEVICE, status }))).toEqual([ID]);
  });

  test.each(['device', 'User', ' user', 'guest', 'heartbeat '])('kind %j', (kind) => {
    expect(refused('sessions', flat({ ...SESSION, kind }))).toEqual([ID]);
  });

  const INSTANTS = [
    ' 1',
    '1 ',
    '+1',
    '-1',
    '01',
    '1.0',
    '1e3',
    '0x1',
    '9007199254740993',
    '8640000000000001',
    '١',
  ];
  test.each([...INSTANTS, -1, 1.5, Infinity, 2 ** 53, null, true])('instant %p', (at) => {
    expect(refused('sessions', flat({ ...SESSION, revoked_at_ms: at }))).toEqual([ID]);
    expect(refused('devices', flat({ ...DEVICE, revoked_at_ms: at }))).toEqual([ID]);
  });

  const KEYS = [
    ` ${KEY}`,
    `${KEY}\n`,
    KEY.slice(0, -1),
    Buffer.alloc(31, 9).toString('base64'),
    Buffer.alloc(33, 9).toString('base64'),
    Buffer.alloc(32, 0xff).toString('base64url'),
    `${KEY.slice(0, 42)}l=`,
    '!'.repeat(44),
  ];
  test.each(KEYS)('key %j', (key) => {
    expect(refused('devices', flat({ ...DEVICE, client_public_key: key }))).toEqual([ID]);
  });

  test('an event of the other stream', () => {
    expect(refused('devices', flat(SESSION))).toEqual([]);
    expect(refused('sessions', flat(DEVICE))).toEqual([]);
    expect(refused('devices', flat(HEARTBEAT))).toEqual([]);
    expect(refused('sessions', flat({ ...SESSION, client_public_key: KEY }))).toEqual([ID]);
  });

  test.each([
    [undefined],
    [null],
    ['kind'],
    [7],
    [{}],
    [[]],
    [['kind']],
    [[null, 'x']],
    [['kind', 'user', 'session_id']],
  ])('no list of pairs: %p', (entry) => {
    expect(refused('sessions', entry)).toEqual([]);
    expect(refused('devices', entry)).toEqual([]);
  });

  test('a list that breaks off still names its session', () => {
    expect(refused('sessions', [...flat(SESSION), 'revoked_at_ms'])).toEqual([ID]);
  });
});

describe('what is written', () => {
  const session: Session = {
    id: ID as SessionId,
    kind: 'grant',
    userId: USER as Session['userId'],
    parentId: undefined,
    audience: [],
    status: 'revoked',
    revokedAt: 5,
    revokeReason: 'signed_out',
    createdAt: 1,
    lastSeenAt: 1,
    idleTimeoutMs: undefined,
    expiresAt: undefined,
    origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
    label: undefined,
    clientId: undefined,
    scope: undefined,
    deviceId: undefined,
    clientPublicKey: undefined,
  };

  test('a grant, in its fields and no other', () => {
    const { stream, fields } = encodeEvent(session);
    expect(stream).toBe('sessions');
    expect(fields).toEqual(
      flat({
        kind: 'grant',
        session_id: ID,
        user_id: USER,
        status: 'revoked',
        revoked_at_ms: '5',
      }) as string[],
    );
    expect(accepted(stream, fields)).toMatchObject({ kind: 'grant', id: ID, revokedAt: 5 });
  });

  test('a device, with its key in standard base64', () => {
    const bytes = Buffer.alloc(32, 0xfb);
    const device: Session = {
      ...session,
      kind: 'device',
      status: 'active',
      revokedAt: undefined,
      clientPublicKey: bytes.toString('base64url'),
    };
    const { stream, fields } = encodeEvent(device);
    expect(stream).toBe('devices');
    expect(fields).toEqual(
      flat({ ...DEVICE, client_public_key: bytes.toString('base64'), status: 'active' }) as string[],
    );
    expect(accepted(stream, fields)).toMatchObject({ kind: 'device', status: 'active' });
  });

  test('a person, in the form of a session that nobody knows', () => {
    const { stream, fields } = encodePerson(USER);
    const ofSession = { kind: 'user', session_id: USER, user_id: USER, status: 'active' };
    expect([stream, fields]).toEqual(['sessions', flat(ofSession) as string[]]);
    const event = accepted(stream, fields);
    expect(event.type === 'session' && isOfPerson(event)).toBe(true);
  });

  test('a heartbeat', () => {
    expect(accepted('sessions', encodeHeartbeat('abc', 12))).toEqual({
      type: 'heartbeat',
      node: 'abc',
      sequence: 12,
    });
  });
});
