import { expect, test } from 'bun:test';
import { PROTECTED_HOST, type SignedIn, type TemporaryApi, temporaryApi } from '../../support/api.ts';

const TOKEN = { label: 'x', hosts: [PROTECTED_HOST], scopes: ['sessions:write'], expires_in: 60 };

/** A POST whose body is complete only when `finish` is called: by then its sender has long been authenticated. */
function slowPost(api: TemporaryApi, path: string, { token }: SignedIn, json: unknown) {
  const body = JSON.stringify(json);
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>({
    start(started) {
      controller = started;
      started.enqueue(new TextEncoder().encode(body.slice(0, 5)));
    },
  });
  const headers = { 'content-type': 'application/json' };
  const response = api.call(path, { method: 'POST', cookie: token, headers, body: stream });
  return {
    response,
    finish() {
      controller?.enqueue(new TextEncoder().encode(body.slice(5)));
      controller?.close();
    },
  };
}

/** Resolves when the server has recognised this session once more. */
function recognised(api: TemporaryApi, times: number): { promise: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { ledger } = api.base;
  const authenticate = ledger.authenticate.bind(ledger);
  let seen = 0;
  ledger.authenticate = (...args) => {
    const found = authenticate(...args);
    if (++seen === times) resolve();
    return found;
  };
  return { promise };
}

async function liveTokens(api: TemporaryApi, { userId }: SignedIn): Promise<number> {
  return (await api.base.ledger.list(userId)).filter(({ clientId }) => clientId === 'personal').length;
}

for (const [path, json] of [
  ['/api/v1/tokens', TOKEN],
  ['/api/v1/invitations', { role: 'owner' }],
] as const) {
  test(`POST ${path}: a session that ends while the body is still coming makes nothing`, async () => {
    await using api = temporaryApi();
    const owner = await api.signInOwner();
    const passedTheGuard = recognised(api, 1);
    const slow = slowPost(api, path, owner, json);
    await passedTheGuard.promise;
    await api.base.ledger.end(owner.sessionId, { reason: 'signed_out' });
    slow.finish();
    const response = await slow.response;
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'session_ended' });
    expect(await liveTokens(api, owner)).toBe(0);
    expect(await api.accounts.local.invitations.list()).toEqual([]);
  });
}

test('“everywhere” and a token made in the same moment: whichever is first, no token lives', async () => {
  await using api = temporaryApi();
  const outcomes = new Set<number>();
  for (let round = 0; round < 30; round++) {
    const ada = await api.signIn();
    const make = () => api.call('/api/v1/tokens', { method: 'POST', cookie: ada.token, json: TOKEN });
    const endAll = () => api.call('/api/v1/sessions', { method: 'DELETE', cookie: ada.token });
    const [made] =
      round % 2 === 0
        ? await Promise.all([make(), endAll()])
        : (await Promise.all([endAll(), make()])).toReversed();
    outcomes.add(made?.status ?? 0);
    expect(await liveTokens(api, ada)).toBe(0);
  }
  expect([...outcomes].every((status) => status === 201 || status === 401)).toBe(true);
});

test('two that end the same session: one ends it, the other finds it gone', async () => {
  await using api = temporaryApi();
  for (let round = 0; round < 10; round++) {
    const ada = await api.signIn();
    const phone = await api.signIn(ada.userId);
    const end = () =>
      api.call(`/api/v1/sessions/${phone.sessionId}`, { method: 'DELETE', cookie: ada.token });
    const statuses = (await Promise.all([end(), end()])).map(({ status }) => status);
    expect(statuses.sort((a, b) => a - b)).toEqual([204, 404]);
    const rows = api.base.auditStore.list({ limit: 10, userId: ada.userId });
    expect(rows.filter(({ sessionId }) => sessionId === phone.sessionId)).toHaveLength(1);
  }
});

test('two that end each other at once both end, and nobody else does', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  const stranger = await api.signIn();
  const endOthers = ({ token }: SignedIn) =>
    api.call('/api/v1/sessions?keep=current', { method: 'DELETE', cookie: token });
  const statuses = (await Promise.all([endOthers(ada), endOthers(phone)])).map(({ status }) => status);
  expect(statuses.every((status) => status === 200 || status === 401)).toBe(true);
  expect((await api.base.ledger.list(ada.userId)).length).toBeLessThanOrEqual(1);
  expect(await api.base.ledger.list(stranger.userId)).toHaveLength(1);
});

test('two owners who make each other members at once: one of them stays an owner', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const other = await api.signInOwner();
  const demote = (by: SignedIn, whom: SignedIn) =>
    api.call(`/api/v1/users/${whom.userId}`, { method: 'PATCH', cookie: by.token, json: { role: 'member' } });
  const statuses = (await Promise.all([demote(owner, other), demote(other, owner)])).map(
    ({ status }) => status,
  );
  expect(statuses.sort((a, b) => a - b)).toEqual([200, 403]);
  expect(api.accounts.people.store.countActiveOwners()).toBe(1);
});
