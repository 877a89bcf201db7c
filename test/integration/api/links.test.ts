import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { userSecrets } from '../../../src/db/schema/index.ts';
import { type SignedIn, type TemporaryApi, temporaryApi } from '../../support/api.ts';
import { testBackend } from '../../support/upstream.ts';

let api: TemporaryApi;
let ada: SignedIn;

beforeEach(async () => {
  api = temporaryApi({ backends: [testBackend('code', { secrets: ['FORGE_TOKEN'] })] });
  ada = await api.signIn();
});

afterEach(() => api[Symbol.asyncDispose]());

const store = (json: unknown, cookie = ada.token) =>
  api.call('/api/v1/secrets', { method: 'POST', cookie, json });
const listed = async ({ token }: SignedIn) =>
  ((await (await api.call('/api/v1/secrets', { cookie: token })).json()) as { secrets: unknown[] }).secrets;
const find = (name: string) => api.upstream.tokens.secret(ada.userId, name);

describe('a secret', () => {
  test('is stored, replaced, listed without its value, and removed', async () => {
    const heard: string[] = [];
    using _listener = api.upstream.tokens.onSecretChanged(({ name }) => heard.push(name));
    expect(await listed(ada)).toEqual([{ name: 'FORGE_TOKEN', backends: ['code'], updated_at: null }]);
    expect((await store({ name: 'FORGE_TOKEN', value: ' ghp_first\n' })).status).toBe(204);
    expect(find('FORGE_TOKEN')).toBe('ghp_first');
    expect((await store({ name: 'FORGE_TOKEN', value: 'ghp_second' })).status).toBe(204);
    expect(find('FORGE_TOKEN')).toBe('ghp_second');
    expect(JSON.stringify(await listed(ada))).not.toContain('ghp_');
    expect(JSON.stringify(api.base.db.reader.select().from(userSecrets).all())).not.toContain('ghp_');
    const remove = () => api.call('/api/v1/secrets/FORGE_TOKEN', { method: 'DELETE', cookie: ada.token });
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    expect(find('FORGE_TOKEN')).toBeUndefined();
    expect(heard).toEqual(['FORGE_TOKEN', 'FORGE_TOKEN', 'FORGE_TOKEN']);
    expect(await api.accounts.actions()).toEqual(expect.arrayContaining(['secret.stored', 'secret.removed']));
  });

  test('is one person’s alone', async () => {
    const bob = await api.signIn();
    await store({ name: 'FORGE_TOKEN', value: 'ghp_ada' });
    expect(api.upstream.tokens.secret(bob.userId, 'FORGE_TOKEN')).toBeUndefined();
    expect(await listed(bob)).toEqual([{ name: 'FORGE_TOKEN', backends: ['code'], updated_at: null }]);
    const other = await api.call('/api/v1/secrets/FORGE_TOKEN', { method: 'DELETE', cookie: bob.token });
    expect(other.status).toBe(404);
    expect(find('FORGE_TOKEN')).toBe('ghp_ada');
  });

  test('does not open in the row of somebody else', async () => {
    const bob = await api.signIn();
    await store({ name: 'FORGE_TOKEN', value: 'ghp_ada' });
    await store({ name: 'FORGE_TOKEN', value: 'ghp_bob' }, bob.token);
    const [row] = api.base.db.reader.select().from(userSecrets).all();
    await api.base.db.write((tx) =>
      tx
        .update(userSecrets)
        .set({ sealed: row?.sealed ?? '' })
        .run(),
    );
    expect([ada, bob].map(({ userId }) => api.upstream.tokens.secret(userId, 'FORGE_TOKEN'))).toEqual([
      'ghp_ada',
      undefined,
    ]);
  });

  test.each([
    [{ name: 'OTHER', value: 'x' }, 'unknown_secret'],
    [{ name: 'FORGE_TOKEN', value: '' }, 'bad_secret'],
    [{ name: 'FORGE_TOKEN', value: ' \n ' }, 'bad_secret'],
    [{ name: 'FORGE_TOKEN', value: 'a\nb' }, 'bad_secret'],
    [{ name: 'FORGE_TOKEN', value: 'a\u0000b' }, 'bad_secret'],
    [{ name: 'FORGE_TOKEN', value: 'grüße' }, 'bad_secret'],
    [{ name: 'FORGE_TOKEN' }, 'invalid_body'],
    [{ name: 'no name', value: 'x' }, 'invalid_body'],
    [{ name: '../x', value: 'x' }, 'invalid_body'],
    [{ name: 'FORGE_TOKEN', value: 7 }, 'invalid_body'],
    [['FORGE_TOKEN'], 'invalid_body'],
  ])('is refused: %j', async (json, code) => {
    const response = await store(json);
    expect(response.status).toBe(422);
    const problem = (await response.json()) as { code: string };
    expect(problem.code).toBe(code);
    expect(find('FORGE_TOKEN')).toBeUndefined();
  });

  test('has a longest length', async () => {
    const { secrets } = api.upstream;
    await secrets.store('FORGE_TOKEN', 'x'.repeat(8_192), { userId: ada.userId });
    const tooLong = secrets.store('FORGE_TOKEN', 'x'.repeat(8_193), { userId: ada.userId });
    expect(await tooLong.catch((error: unknown) => error)).toMatchObject({ code: 'bad_secret' });
  });

  test('takes a browser session: a token of any scope does not do', async () => {
    const { token } = await api.makeToken(ada, { scopes: ['sessions:read', 'sessions:write', 'audit:read'] });
    for (const path of ['/api/v1/secrets', '/api/v1/links'])
      expect((await api.call(path, { bearer: token })).status).toBe(403);
    const removed = await api.call('/api/v1/links/code', { method: 'DELETE', bearer: token });
    expect(removed.status).toBe(403);
    expect((await api.call('/api/v1/secrets')).status).toBe(401);
  });
});

describe('linked accounts', () => {
  test('are listed, and what is not linked cannot be unlinked', async () => {
    const response = await api.call('/api/v1/links', { cookie: ada.token });
    expect(await response.json()).toEqual({ links: [] });
    for (const name of ['code', 'Not A Name', 'x'.repeat(40)]) {
      const path = `/api/v1/links/${encodeURIComponent(name)}`;
      expect((await api.call(path, { method: 'DELETE', cookie: ada.token })).status).toBe(404);
    }
  });
});
