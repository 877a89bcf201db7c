import { describe, expect, test } from 'bun:test';
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/client';
import { resourceAudience } from '../../../src/sessions/audience.ts';
import type { Issued } from '../../../src/sessions/ledger.ts';
import { type OauthSite, oauthSite } from '../../support/authorization-server.ts';
import { documentServer } from '../../support/hostile-documents.ts';
import { callbackOf, oauthClient, REDIRECT_URI, RESOURCE } from '../../support/oauth-client.ts';

type Saved<Method extends 'saveTokens' | 'saveClientInformation' | 'saveDiscoveryState'> = Parameters<
  NonNullable<OAuthClientProvider[Method]>
>[0];

/** A client that keeps what it is given in memory, and notes where it wants its person to go. */
function memoryProvider(clientMetadataUrl?: string) {
  const kept: {
    client?: Saved<'saveClientInformation'>;
    tokens?: Saved<'saveTokens'>;
    verifier?: string;
    page?: URL;
    discovered?: Saved<'saveDiscoveryState'>;
  } = {};
  const provider: OAuthClientProvider = {
    redirectUrl: REDIRECT_URI,
    ...(clientMetadataUrl !== undefined && { clientMetadataUrl }),
    clientMetadata: {
      client_name: 'Official client',
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => void (kept.client = client),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void (kept.tokens = tokens),
    redirectToAuthorization: (url) => void (kept.page = url),
    saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
    codeVerifier: () => kept.verifier ?? '',
    state: () => 'some state',
    invalidateCredentials: (scope) => {
      if (scope === 'tokens' || scope === 'all') delete kept.tokens;
      if (scope === 'client' || scope === 'all') delete kept.client;
    },
    discoveryState: () => kept.discovered,
    saveDiscoveryState: (discovered) => void (kept.discovered = discovered),
  };
  return { provider, kept };
}

const pathOf = (url: string | URL) => {
  const { pathname, search } = new URL(url);
  return pathname + search;
};

/** The client sees the appliance at its real address. */
const fetchFor = (site: OauthSite) => (url: string | URL, init?: RequestInit) =>
  site.fetch(pathOf(url), init);

async function connect(site: OauthSite, session: Issued, clientMetadataUrl?: string) {
  const { provider, kept } = memoryProvider(clientMetadataUrl);
  const options = { serverUrl: RESOURCE, fetchFn: fetchFor(site) };
  expect(await auth(provider, options)).toBe('REDIRECT');
  const page = await site.fetch(pathOf(kept.page ?? ''), { session });
  const callback = callbackOf(await oauthClient(site).consent(page, session));
  const [authorizationCode, iss] = [callback.get('code') ?? '', callback.get('iss') ?? ''];
  expect(await auth(provider, { ...options, authorizationCode, iss })).toBe('AUTHORIZED');
  return { provider, kept, options };
}

describe('the official client', () => {
  test('finds its way from the address of a server alone, registers, and refreshes', async () => {
    await using site = oauthSite();
    const session = await site.base.signIn(await site.base.addUser());
    const { provider, kept, options } = await connect(site, session);
    const first = kept.tokens;
    const speaks = (token = '') => site.base.ledger.authenticate(token, 'access', resourceAudience(RESOURCE));
    expect(await speaks(first?.access_token)).toMatchObject({ ok: true });
    expect(await auth(provider, options)).toBe('AUTHORIZED');
    expect(kept.tokens?.refresh_token).not.toBe(first?.refresh_token);
    expect(await speaks(kept.tokens?.access_token)).toMatchObject({ ok: true });
  });

  test('asks its person again once the grant has ended', async () => {
    await using site = oauthSite();
    const session = await site.base.signIn(await site.base.addUser());
    const { provider, options } = await connect(site, session);
    await site.server.connectedApps(() => []).endAll({ userId: session.session.userId });
    expect(await auth(provider, options)).toBe('REDIRECT');
  });

  test('comes as a document without registering', async () => {
    await using documents = await documentServer();
    const clientId = documents.url('/client.json');
    documents.answer('/client.json', () =>
      Response.json({ client_id: clientId, client_name: 'Document', redirect_uris: [REDIRECT_URI] }),
    );
    await using site = oauthSite({ fetchDocument: documents.fetchDocument });
    const session = await site.base.signIn(await site.base.addUser());
    const { kept } = await connect(site, session, clientId);
    expect(kept.tokens?.access_token).toStartWith('psta_');
    expect(documents.asked).toEqual(['/client.json']);
  });
});
