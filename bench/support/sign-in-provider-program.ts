import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/**
 * `bun sign-in-provider-program.ts PORT CLIENT_ID`: an OpenID provider in a process of its own that lets everybody in. A code
 * says by itself who signs in and with which nonce, `subject.nonce`, so that it has nothing to remember.
 */

const [port = '', clientId = ''] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
const jwk = { ...(await exportJWK(publicKey)), kid: 'bench', use: 'sig', alg: 'RS256' };

const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
  authorization_response_iss_parameter_supported: true,
};

async function token(request: Request): Promise<Response> {
  const code = new URLSearchParams(await request.text()).get('code') ?? '';
  const [subject = '', nonce = ''] = code.split('.');
  const idToken = await new SignJWT({ nonce, preferred_username: subject })
    .setProtectedHeader({ alg: 'RS256', kid: 'bench' })
    .setIssuer(issuer)
    .setAudience(clientId)
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(privateKey);
  return Response.json({ access_token: 'access', token_type: 'Bearer', id_token: idToken });
}

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(port),
  routes: {
    '/.well-known/openid-configuration': () => Response.json(metadata),
    '/jwks': () => Response.json({ keys: [jwk] }),
    '/token': token,
  },
});
