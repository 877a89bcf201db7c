import { expect, test } from 'bun:test';
import type { z } from 'zod';
import type { createdInvitationDto, invitationListDto } from '../../../src/sign-in/dto-invitations.ts';
import type { userDto, userListDto } from '../../../src/users/dto.ts';
import { type SignedIn, type TemporaryApi, temporaryApi } from '../../support/api.ts';

const UNKNOWN_USER = `usr_${'a'.repeat(26)}`;

function patch(api: TemporaryApi, { token }: SignedIn, id: string, json: unknown): Promise<Response> {
  return api.call(`/api/v1/users/${id}`, { method: 'PATCH', cookie: token, json });
}

async function codeOf(response: Response): Promise<string> {
  const { code } = (await response.json()) as { code: string };
  return `${response.status} ${code}`;
}

test('an owner sees everybody by name, and one by id', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const zoe = await api.base.addUser('Zoe');
  const ada = await api.base.addUser('ada');
  const all = await api.call('/api/v1/users', { cookie: owner.token });
  const { users } = (await all.json()) as z.output<typeof userListDto>;
  const ids = users.map(({ id }) => id);
  expect(ids.indexOf(ada)).toBeLessThan(ids.indexOf(zoe));
  expect(ids).toHaveLength(3);
  const one = (await (await api.call(`/api/v1/users/${zoe}`, { cookie: owner.token })).json()) as z.output<
    typeof userDto
  >;
  expect(one).toEqual({
    id: zoe,
    username: 'Zoe',
    display_name: 'Zoe',
    email: null,
    groups: [],
    role: 'member',
    status: 'active',
    created_at: '2030-01-01T00:00:00.000Z',
    last_sign_in_at: null,
  });
});

test('disabling ends what a person holds and keeps them out; enabling lets them in again', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const ada = await api.signIn();
  const token = await api.makeToken(ada);
  const disabled = await patch(api, owner, ada.userId, { status: 'disabled' });
  expect(await disabled.json()).toMatchObject({ id: ada.userId, status: 'disabled' });
  expect((await api.call('/api/v1/session', { cookie: ada.token })).status).toBe(401);
  expect((await api.call('/api/v1/session', { bearer: token.token })).status).toBe(401);
  expect(await (await patch(api, owner, ada.userId, { status: 'active' })).json()).toMatchObject({
    status: 'active',
  });
  expect((await api.call('/api/v1/session', { cookie: ada.token })).status).toBe(401);
  expect((await api.call('/api/v1/session', { cookie: (await api.signIn(ada.userId)).token })).status).toBe(
    200,
  );
});

test('the last owner stays one and stays', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  expect(await codeOf(await patch(api, owner, owner.userId, { role: 'member' }))).toBe('409 last_owner');
  expect(await codeOf(await patch(api, owner, owner.userId, { status: 'disabled' }))).toBe('409 last_owner');
  const removed = await api.call(`/api/v1/users/${owner.userId}`, { method: 'DELETE', cookie: owner.token });
  expect(await codeOf(removed)).toBe('409 last_owner');
  expect((await api.call('/api/v1/users', { cookie: owner.token })).status).toBe(200);
});

test('a person who is removed is gone with all sessions', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const ada = await api.signIn();
  const remove = () => api.call(`/api/v1/users/${ada.userId}`, { method: 'DELETE', cookie: owner.token });
  expect((await remove()).status).toBe(204);
  expect((await remove()).status).toBe(404);
  expect((await api.call('/api/v1/session', { cookie: ada.token })).status).toBe(401);
});

test('a patch does one thing, and only what is known', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const ada = await api.signIn();
  const bad = [
    {},
    { status: 'disabled', role: 'owner' },
    { status: 'gone' },
    { role: 'admin' },
    { role: 'owner', devices: true },
    { username: 'root' },
    { status: 'disabled', devices: 'yes' },
    [],
  ];
  for (const json of bad) {
    expect([json, await codeOf(await patch(api, owner, ada.userId, json))]).toEqual([
      json,
      '422 invalid_body',
    ]);
  }
  expect((await patch(api, owner, UNKNOWN_USER, { role: 'owner' })).status).toBe(404);
  expect((await api.call('/api/v1/session', { cookie: ada.token })).status).toBe(200);
});

test('nothing of it is for members or for tokens, and a body is not looked at before', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const ada = await api.signIn();
  const { token } = await api.makeToken(owner, { scopes: ['sessions:read', 'sessions:write', 'audit:read'] });
  const asks: [string, string][] = [
    ['GET', '/api/v1/users'],
    ['GET', `/api/v1/users/${ada.userId}`],
    ['PATCH', `/api/v1/users/${ada.userId}`],
    ['DELETE', `/api/v1/users/${owner.userId}`],
    ['GET', '/api/v1/invitations'],
    ['POST', '/api/v1/invitations'],
    ['DELETE', `/api/v1/invitations/inv_${'a'.repeat(26)}`],
  ];
  for (const [method, path] of asks) {
    const body = method === 'PATCH' || method === 'POST' ? { body: '{nonsense' } : {};
    expect(await codeOf(await api.call(path, { method, cookie: ada.token, ...body }))).toBe(
      '403 owner_required',
    );
    expect(await codeOf(await api.call(path, { method, bearer: token, ...body }))).toBe(
      '403 browser_session_required',
    );
    expect(await codeOf(await api.call(path, { method, ...body }))).toBe('401 not_signed_in');
  }
});

test('an invitation is shown once, listed without its link, and voided', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const invite = (json: unknown) =>
    api.call('/api/v1/invitations', { method: 'POST', cookie: owner.token, json });
  const made = await invite({});
  expect(made.status).toBe(201);
  const { id, url } = (await made.json()) as z.output<typeof createdInvitationDto>;
  expect(url).toStartWith('https://auth.example.test/invitation#');
  await invite({ role: 'owner' });

  const listed = await api.call('/api/v1/invitations', { cookie: owner.token });
  const text = await listed.text();
  const { invitations } = JSON.parse(text) as z.output<typeof invitationListDto>;
  expect(invitations.map(({ role }) => role).sort()).toEqual(['member', 'owner']);
  expect(invitations[0]?.created_by).toBe(owner.userId);
  expect(text).not.toContain(new URL(url).hash.slice(1));

  const voidIt = () => api.call(`/api/v1/invitations/${id}`, { method: 'DELETE', cookie: owner.token });
  expect((await voidIt()).status).toBe(204);
  expect((await voidIt()).status).toBe(404);
  expect(await codeOf(await invite({ role: 'king' }))).toBe('422 invalid_body');
});
