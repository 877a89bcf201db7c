import { expect, test } from 'bun:test';
import { resourceAudience } from '../../../src/sessions/audience.ts';
import { type SignedIn, type TemporaryApi, temporaryApi } from '../../support/api.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';

const PATH = '/api/v1/connected-apps';

async function connect({ base }: TemporaryApi, by: SignedIn) {
  const { ledger, db } = base;
  return db.write((tx) =>
    ledger.openGrant(tx, {
      issuedBy: by.sessionId,
      clientId: 'https://client.example/client.json',
      label: 'Client',
      audience: resourceAudience(`${TEST_ORIGIN}/mcp/files`),
      scope: 'mcp:files',
      origin: { provider: undefined, providerSid: undefined, address: '192.0.2.9', userAgent: 'client' },
    }),
  );
}

test('are listed and ended by who let them connect', async () => {
  await using api = temporaryApi();
  const alice = await api.signIn();
  const one = await connect(api, alice);
  await connect(api, alice);
  const listed = (await (await api.call(PATH, { cookie: alice.token })).json()) as { apps: { id: string }[] };
  expect(listed.apps).toHaveLength(2);
  expect(listed.apps.find(({ id }) => id === one.session.id)).toMatchObject({
    client_id: 'https://client.example/client.json',
    name: 'Client',
    redirect_uri: null,
    backend: 'files',
    scope: 'mcp:files',
    address: '192.0.2.9',
    children: [],
  });
  const end = (id: string, by: SignedIn) => api.call(`${PATH}/${id}`, { method: 'DELETE', cookie: by.token });
  const stranger = await api.signIn();
  expect((await end(one.session.id, stranger)).status).toBe(404);
  expect((await end(alice.sessionId, alice)).status).toBe(404);
  expect((await end(one.session.id, alice)).status).toBe(204);
  expect((await end(one.session.id, alice)).status).toBe(404);
  const all = await api.call(PATH, { method: 'DELETE', cookie: alice.token });
  expect(await all.json()).toEqual({ ended: 1 });
});

test('need the scopes of sessions, and an access token of theirs is none', async () => {
  await using api = temporaryApi();
  const alice = await api.signIn();
  const { tokens } = await connect(api, alice);
  const reader = await api.makeToken(alice, { label: 'r', scopes: ['sessions:read'], expires_in: 60 });
  expect((await api.call(PATH, { bearer: reader.token })).status).toBe(200);
  expect((await api.call(PATH, { method: 'DELETE', bearer: reader.token })).status).toBe(401);
  expect((await api.call(PATH, { bearer: tokens.access })).status).toBe(401);
  expect((await api.call(PATH)).status).toBe(401);
});
