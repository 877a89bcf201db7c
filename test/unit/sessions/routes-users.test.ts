import { expect, test } from 'bun:test';
import type { z } from 'zod';
import type { sessionListDto } from '../../../src/sessions/dto.ts';
import { temporaryApi } from '../../support/api.ts';

const UNKNOWN_USER = `usr_${'a'.repeat(26)}`;

test('an owner sees and ends the sessions of anybody, one or all', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  const path = `/api/v1/users/${ada.userId}/sessions`;

  const listed = await api.call(path, { cookie: owner.token });
  const { sessions } = (await listed.json()) as z.output<typeof sessionListDto>;
  expect(sessions.map(({ id }) => id).sort()).toEqual([ada.sessionId, phone.sessionId].map(String).sort());
  expect(sessions.some(({ current }) => current)).toBe(false);

  const one = await api.call(`${path}/${phone.sessionId}`, { method: 'DELETE', cookie: owner.token });
  expect(one.status).toBe(204);
  expect((await api.base.ledger.find(phone.sessionId))?.revokeReason).toBe('ended_by_owner');

  const all = await api.call(path, { method: 'DELETE', cookie: owner.token });
  expect(await all.json()).toEqual({ ended: 1 });
  expect((await api.call('/api/v1/session', { cookie: ada.token })).status).toBe(401);
  expect((await api.call('/api/v1/session', { cookie: owner.token })).status).toBe(200);
  const [row] = api.base.auditStore.list({ limit: 1 });
  expect(row).toMatchObject({
    actorUserId: owner.userId,
    subjectUserId: ada.userId,
    action: 'sessions.revoked_everywhere',
  });
});

test('a session is found under its own user alone', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const ada = await api.signIn();
  const bob = await api.signIn();
  const wrong = [
    `/api/v1/users/${bob.userId}/sessions/${ada.sessionId}`,
    `/api/v1/users/${UNKNOWN_USER}/sessions/${ada.sessionId}`,
    `/api/v1/users/${ada.userId}/sessions/ses_${'a'.repeat(26)}`,
    `/api/v1/users/nobody/sessions/${ada.sessionId}`,
  ];
  for (const path of wrong) {
    expect((await api.call(path, { method: 'DELETE', cookie: owner.token })).status).toBe(404);
  }
  for (const method of ['GET', 'DELETE']) {
    const path = `/api/v1/users/${UNKNOWN_USER}/sessions`;
    expect((await api.call(path, { method, cookie: owner.token })).status).toBe(404);
  }
  expect((await api.call('/api/v1/session', { cookie: ada.token })).status).toBe(200);
});

test('a member may do none of it, not even to themselves, and learns nothing of who exists', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const bob = await api.signIn();
  for (const id of [ada.userId, bob.userId, UNKNOWN_USER]) {
    const path = `/api/v1/users/${id}/sessions`;
    const asks: [string, string][] = [
      ['GET', path],
      ['DELETE', path],
      ['DELETE', `${path}/${bob.sessionId}`],
    ];
    for (const [method, asked] of asks) {
      const response = await api.call(asked, { method, cookie: ada.token });
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: 'owner_required' });
    }
  }
  expect((await api.call('/api/v1/session', { cookie: bob.token })).status).toBe(200);
});

test('an owner who was made a member is one no longer, from the next request on', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const other = await api.signInOwner();
  const path = `/api/v1/users/${owner.userId}`;
  const demoted = await api.call(path, { method: 'PATCH', cookie: other.token, json: { role: 'member' } });
  expect(demoted.status).toBe(200);
  expect((await api.call('/api/v1/users', { cookie: owner.token })).status).toBe(403);
});
