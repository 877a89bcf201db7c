import type { Issued } from '../../src/sessions/ledger.ts';
import type { OauthSite } from './authorization-server.ts';
import { TEST_ORIGIN } from './ledger.ts';

export const REDIRECT_URI = 'http://127.0.0.1:5123/callback';
export const RESOURCE = `${TEST_ORIGIN}/mcp/files`;

/** 43 characters, the fewest there may be. */
export const VERIFIER = 'v'.repeat(43);
export const CHALLENGE = Bun.SHA256.hash(VERIFIER, 'base64url');

export interface TokenAnswer {
  access_token: string;
  token_type: string;
  expires_in: number;
  refresh_token: string;
  scope: string;
}

/** A client as the specifications want it, driven step by step. */
export function oauthClient(site: OauthSite) {
  const register = async (metadata: Readonly<Record<string, unknown>> = {}) => {
    const response = await site.fetch('/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        redirect_uris: ['http://127.0.0.1/callback'],
        client_name: 'Test',
        ...metadata,
      }),
    });
    return (await response.json()) as { client_id: string };
  };

  const authorizePath = (clientId: string, changes: Readonly<Record<string, string | undefined>> = {}) => {
    const params = {
      response_type: 'code',
      client_id: clientId,
      redirect_uri: REDIRECT_URI,
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
      resource: RESOURCE,
      state: 'the state',
      ...changes,
    };
    const sent = Object.entries(params).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as [string, string]],
    );
    return `/oauth/authorize?${new URLSearchParams(sent).toString()}`;
  };

  const consent = async (page: Response, session: Issued, answer: Readonly<Record<string, string>> = {}) => {
    const fields = hiddenFields(await page.text());
    return site.post('/oauth/authorize', { ...fields, decision: 'allow', ...answer }, session);
  };

  /** Everything up to a code, for the person of this session. */
  const authorize = async (clientId: string, session: Issued): Promise<string> => {
    const page = await site.fetch(authorizePath(clientId), { session });
    return callbackOf(await consent(page, session)).get('code') ?? '';
  };

  const redeem = (clientId: string, code: string, changes: Readonly<Record<string, string>> = {}) =>
    site.post('/oauth/token', {
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      redirect_uri: REDIRECT_URI,
      code_verifier: VERIFIER,
      ...changes,
    });

  const refresh = (clientId: string, refreshToken: string, changes: Readonly<Record<string, string>> = {}) =>
    site.post('/oauth/token', {
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: refreshToken,
      ...changes,
    });

  /** A person, a client of theirs, and its first tokens. */
  const connect = async (known?: Issued) => {
    const session = known ?? (await site.base.signIn(await site.base.addUser()));
    const { client_id: clientId } = await register();
    const answer = await redeem(clientId, await authorize(clientId, session));
    return { session, clientId, tokens: (await answer.json()) as TokenAnswer };
  };

  return { register, authorizePath, consent, authorize, redeem, refresh, connect };
}

/** Names and values of the hidden fields of a page. */
export function hiddenFields(page: string): Record<string, string> {
  const fields = page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g);
  return Object.fromEntries(
    [...fields].map(([, name = '', value = '']) => [name, value.replaceAll('&amp;', '&')]),
  );
}

/** Where an answer sends the browser, by redirect or by a page that goes on. */
export function destinationOf({ headers }: Response): string {
  return headers.get('location') ?? headers.get('refresh')?.replace(/^0; url=/, '') ?? '';
}

export function callbackOf(response: Response): URLSearchParams {
  const url = URL.parse(destinationOf(response));
  if (url === null) throw new Error(`the answer (${response.status}) leads nowhere`);
  return url.searchParams;
}
