import { createHash } from 'node:crypto';
import { giveCode } from './fake-authorize.ts';

export interface GithubAccount {
  id: number;
  login: string;
  name?: string | null;
  emails: { email: string; primary: boolean; verified: boolean }[];
}

export interface FakeGithub extends AsyncDisposable {
  /** What a GitHub Enterprise Server would be configured as. */
  readonly issuer: string;
  account: GithubAccount;
  /** Answers in the place of the API. */
  api: ((path: string) => Response | undefined) | undefined;
}

/** As much of GitHub as a sign-in asks of it: authorization with PKCE, errors with status 200, profile and addresses. */
export function startFakeGithub(account: GithubAccount): FakeGithub {
  const challenges = new Map<string, string>();
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname === '/login/oauth/authorize') return giveCode(url, challenges);
      if (url.pathname === '/login/oauth/access_token')
        return redeem(new URLSearchParams(await request.text()), challenges);
      if (request.headers.get('authorization') !== 'Bearer gho_token')
        return new Response('', { status: 401 });
      const answer = fake.api?.(url.pathname);
      if (answer !== undefined) return answer;
      const { emails, ...profile } = fake.account;
      if (url.pathname === '/api/v3/user') return Response.json(profile);
      if (url.pathname === '/api/v3/user/emails') return Response.json(emails);
      return new Response('', { status: 404 });
    },
  });
  const fake: FakeGithub = {
    issuer: `http://127.0.0.1:${server.port}`,
    account,
    api: undefined,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
  return fake;
}

function redeem(form: URLSearchParams, challenges: Map<string, string>): Response {
  const code = form.get('code') ?? '';
  const challenge = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url');
  const isGood = challenges.get(code) === challenge && form.has('client_secret');
  challenges.delete(code);
  if (!isGood) return Response.json({ error: 'bad_verification_code' });
  return Response.json({ access_token: 'gho_token', token_type: 'bearer', scope: 'read:user,user:email' });
}
