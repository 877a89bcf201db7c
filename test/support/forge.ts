import { createHash } from 'node:crypto';
import { giveCode } from './fake-authorize.ts';

export type ForgeKind = 'forgejo' | 'gitea' | 'github' | 'gitlab';

export interface Forge extends AsyncDisposable {
  /** Its address: what `issuer` is configured as. */
  readonly address: string;
  /** `METHOD path` of what was asked, and whose token came along. */
  readonly asked: string[];
  /** Tokens that were revoked, or whose authorization was deleted. */
  readonly revoked: string[];
  /** Makes tokens without an end, as an OAuth App of GitHub gets them. */
  endless: boolean;
  /** Whether the profile may be read with what was granted. */
  showsProfile: boolean;
}

interface Paths {
  authorize: string;
  token: string;
}

const PATHS: Record<ForgeKind, Paths> = {
  forgejo: { authorize: '/login/oauth/authorize', token: '/login/oauth/access_token' },
  gitea: { authorize: '/login/oauth/authorize', token: '/login/oauth/access_token' },
  github: { authorize: '/login/oauth/authorize', token: '/login/oauth/access_token' },
  gitlab: { authorize: '/oauth/authorize', token: '/oauth/token' },
};

/** What each says of a refresh token that was used before. */
const SPENT: Record<ForgeKind, () => Response> = {
  forgejo: () => Response.json({ error: 'unauthorized_client' }, { status: 400 }),
  gitea: () => Response.json({ error: 'unauthorized_client' }, { status: 400 }),
  github: () => Response.json({ error: 'bad_refresh_token' }),
  gitlab: () => Response.json({ error: 'invalid_grant' }, { status: 400 }),
};

/**
 * As much of a forge as a linked account asks of it, in its own dialect: code flow with PKCE, refresh tokens that are good
 * once, who one is, revocation. Nobody is asked: the account is always number 7, `mona`.
 */
export function startForge(kind: ForgeKind): Forge {
  const challenges = new Map<string, string>();
  const accessTokens = new Set<string>();
  const refreshTokens = new Set<string>();
  let made = 0;

  const give = (): Response => {
    made++;
    accessTokens.add(`access-${made}`);
    if (forge.endless) return Response.json({ access_token: `access-${made}`, token_type: 'bearer' });
    refreshTokens.add(`refresh-${made}`);
    return Response.json({
      access_token: `access-${made}`,
      refresh_token: `refresh-${made}`,
      token_type: 'bearer',
      expires_in: 3_600,
      scope: 'read write',
    });
  };

  const redeem = (form: URLSearchParams): Response => {
    if (form.get('client_secret') !== 'forge-secret')
      return Response.json({ error: 'invalid_client' }, { status: 401 });
    if (form.get('grant_type') === 'refresh_token') {
      return refreshTokens.delete(form.get('refresh_token') ?? '') ? give() : SPENT[kind]();
    }
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isGood = challenges.get(form.get('code') ?? '') === challenge;
    challenges.delete(form.get('code') ?? '');
    return isGood ? give() : Response.json({ error: 'invalid_grant' }, { status: 400 });
  };

  const profile = (path: string): Response | undefined => {
    const { showsProfile } = forge;
    if (path === '/login/oauth/userinfo' && (kind === 'forgejo' || kind === 'gitea'))
      return Response.json({ sub: '7', preferred_username: 'mona' });
    if (path === '/api/v3/user' && kind === 'github') return Response.json({ id: 7, login: 'mona' });
    if (path === '/api/v4/user' && kind === 'gitlab')
      return showsProfile ? Response.json({ id: 7, username: 'mona' }) : new Response('', { status: 403 });
    if (path === '/oauth/token/info' && kind === 'gitlab') return Response.json({ resource_owner_id: 7 });
    return undefined;
  };

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const url = new URL(request.url);
      forge.asked.push(`${request.method} ${url.pathname}`);
      if (url.pathname === PATHS[kind].authorize) return giveCode(url, challenges);
      if (url.pathname === PATHS[kind].token) return redeem(new URLSearchParams(await request.text()));
      if (url.pathname === '/oauth/revoke' && kind === 'gitlab') {
        forge.revoked.push(new URLSearchParams(await request.text()).get('token') ?? '');
        return Response.json({});
      }
      if (url.pathname === '/api/v3/applications/forge-client/grant' && kind === 'github') {
        const { access_token } = (await request.json()) as { access_token: string };
        forge.revoked.push(access_token);
        return new Response(null, { status: 204 });
      }
      const bearer = (request.headers.get('authorization') ?? '').slice('Bearer '.length);
      if (!accessTokens.has(bearer)) return new Response('', { status: 401 });
      return profile(url.pathname) ?? new Response('', { status: 404 });
    },
  });
  const forge: Forge = {
    address: `http://127.0.0.1:${server.port}`,
    asked: [],
    revoked: [],
    endless: false,
    showsProfile: true,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
  return forge;
}

/** The table of `postern.toml` that links accounts there. */
export const forgeTable = (kind: ForgeKind, { address }: Forge, more: Record<string, unknown> = {}) => ({
  name: kind,
  kind,
  issuer: `${address}/`,
  client_id: 'forge-client',
  client_secret: 'forge-secret',
  scopes: ['read', 'write'],
  ...more,
});
