import { expect, test } from 'bun:test';
import { guestLinkAudience, hostAudience } from '../../../src/sessions/audience.ts';
import type { Session, SessionId, SessionKind } from '../../../src/sessions/model.ts';
import type { UserId } from '../../../src/users/model.ts';
import { sessionList } from '../../../src/web/session-list.ts';

const NOW = Date.UTC(2030, 0, 1);

function aSession(id: string, kind: SessionKind, parentId?: string): Session {
  return {
    id: `ses_${id}` as SessionId,
    kind,
    userId: 'usr_1' as UserId,
    parentId: parentId === undefined ? undefined : (`ses_${parentId}` as SessionId),
    audience: [],
    status: 'active',
    revokedAt: undefined,
    revokeReason: undefined,
    createdAt: NOW,
    lastSeenAt: NOW,
    idleTimeoutMs: undefined,
    expiresAt: undefined,
    origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
    label: undefined,
    clientId: undefined,
    scope: undefined,
    deviceId: undefined,
    clientPublicKey: undefined,
  };
}

function show(sessions: readonly Session[]): string {
  return sessionList(sessions, {
    now: NOW,
    current: 'ses_this' as SessionId,
    labelOf: (name) => name,
    endPath: '/end',
  }).markup;
}

test('every live session has one button, whatever it hangs on', () => {
  const sessions = [
    aSession('this', 'user'),
    aSession('other', 'user'),
    aSession('child', 'user', 'other'),
    aSession('device', 'device'),
    aSession('guest', 'user', 'device'),
    aSession('orphan', 'user', 'gone'),
    aSession('token', 'grant'),
  ];
  const markup = show(sessions);
  const ids = [...markup.matchAll(/value="ses_(\w+)"/g)].map(([, id]) => id);
  expect(ids).toEqual(['other', 'child', 'orphan', 'device', 'guest', 'token']);
  expect(markup.match(/action="\/sign-out"/g)).toHaveLength(1);
});

test('a device stands among the programs, its guests below it', () => {
  const host = 'web--pi.devices.example.test';
  const markup = show([
    aSession('this', 'user'),
    { ...aSession('device', 'device'), label: 'Kitchen Pi', deviceId: 'dev_1' },
    {
      ...aSession('guest', 'user', 'device'),
      audience: [hostAudience(host), guestLinkAudience('gst_1')],
    },
  ]);
  const [, programs = ''] = markup.split('Programs and devices');
  expect(programs).toContain('Kitchen Pi');
  expect(programs).toContain('Device, paired');
  expect(programs).toContain('aria-label="Unpair: Kitchen Pi"');
  expect(programs).toContain('A guest, by a link');
  expect(programs).toContain(`aria-label="End: ${host}"`);
  expect(markup.split('Programs and devices')[0]).not.toContain(host);
});
