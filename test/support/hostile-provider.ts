import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { CLIENT_ID, CLIENT_SECRET } from './sign-in.ts';

/** How the next answers differ from honest ones. */
export interface Misbehaviour {
  /** Claims laid over the honest ones; `undefined` leaves one out. */
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  /** `other` is a key that the provider does not publish. */
  signWith?: 'own' | 'other' | 'secret' | 'nothing';
  /** Changes the redirect that takes the browser back. */
  redirect?: (query: URLSearchParams) => void;
  /** Answers in the token endpoint's place. */
  token?: (honest: Record<string, unknown>) => Response;
  /** Claims of the UserInfo endpoint; absent: it answers with the subject alone. */
  userInfo?: Record<string, unknown>;
  /** Answers in the place of every endpoint. */
  everything?: () => Response;
}

export interface HostileProvider extends AsyncDisposable {
  readonly issuer: string;
  behaviour: Misbehaviour;
  /** Requests seen, by path. */
  readonly seen: Map<string, number>;
  /** A token of any kind, honest but for what is laid over it. */
  sign(claims: JWTPayload, how?: Pick<Misbehaviour, 'header' | 'signWith'>): Promise<string>;
}

interface StartOptions {
  subject?: string;
  port?: number;
  /** Laid over the published metadata. */
  metadata?: Record<string, unknown>;
}

/** An OpenID provider that signs anybody in without asking, and lies where a test wants it to. */
export async function startHostileProvider(options: StartOptions = {}): Promise<HostileProvider> {
  const { subject = 'mallory', port = 0, metadata = {} } = options;
  const own = await generateKeyPair('RS256', { extractable: true });
  const other = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(own.publicKey)), kid: 'own', use: 'sig', alg: 'RS256' };
  const nonces = new Map<string, string>();
  const seen = new Map<string, number>();

  const sign: HostileProvider['sign'] = async (claims, { header = {}, signWith = 'own' } = {}) => {
    const alg = { own: 'RS256', other: 'RS256', secret: 'HS256', nothing: 'none' }[signWith];
    const full = { alg, kid: 'own', ...header };
    if (signWith === 'nothing') return `${base64url(full)}.${base64url(claims)}.`;
    const key = { own: own.privateKey, other: other.privateKey, secret: Buffer.from(CLIENT_SECRET) }[
      signWith
    ];
    return new SignJWT(claims).setProtectedHeader(full).sign(key);
  };

  const idToken = (
    issuer: string,
    nonce: string,
    { claims, header = {}, signWith = 'own' }: Misbehaviour,
  ) => {
    const now = Math.floor(Date.now() / 1000);
    const honest = {
      iss: issuer,
      aud: CLIENT_ID,
      sub: subject,
      sid: 'sid-1',
      nonce,
      iat: now,
      exp: now + 300,
    };
    return sign(stripUndefined({ ...honest, ...claims }), { header, signWith });
  };

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port,
    async fetch(request) {
      const { behaviour } = provider;
      const url = new URL(request.url);
      seen.set(url.pathname, (seen.get(url.pathname) ?? 0) + 1);
      if (behaviour.everything !== undefined) return behaviour.everything();
      switch (url.pathname) {
        case '/.well-known/openid-configuration':
          return Response.json({ ...metadataOf(provider.issuer), ...metadata });
        case '/jwks':
          return Response.json({ keys: [jwk] });
        case '/authorize': {
          const code = crypto.randomUUID();
          nonces.set(code, url.searchParams.get('nonce') ?? '');
          const back = new URL(url.searchParams.get('redirect_uri') ?? '');
          back.search = new URLSearchParams({
            code,
            state: url.searchParams.get('state') ?? '',
            iss: provider.issuer,
          }).toString();
          behaviour.redirect?.(back.searchParams);
          return Response.redirect(back.href, 303);
        }
        case '/token': {
          const code = new URLSearchParams(await request.text()).get('code') ?? '';
          const nonce = nonces.get(code) ?? '';
          const honest = {
            access_token: 'access',
            token_type: 'Bearer',
            id_token: await idToken(provider.issuer, nonce, behaviour),
          };
          return behaviour.token?.(honest) ?? Response.json(honest);
        }
        case '/userinfo':
          return Response.json({ sub: subject, ...behaviour.userInfo });
        default:
          return new Response('nothing here', { status: 404 });
      }
    },
  });
  const provider: HostileProvider = {
    issuer: `http://127.0.0.1:${server.port}`,
    behaviour: {},
    seen,
    sign,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
  return provider;
}

function metadataOf(issuer: string) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    end_session_endpoint: `${issuer}/end`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    // It says that it takes everything, so that nothing is refused for what the metadata lacks.
    id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
    authorization_response_iss_parameter_supported: true,
  };
}

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function stripUndefined(claims: Record<string, unknown>): JWTPayload {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}
