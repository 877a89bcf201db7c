import { describe, expect, test } from 'bun:test';
import { configSchema } from '../../../src/config/schema.ts';
import { type TestForwardAuth, temporaryForwardAuth } from '../../support/forward-auth.ts';
import { guideFile } from '../../support/guide.ts';
import { APP_URL, AUTH_URL } from '../../support/protected-site.ts';

interface Router {
  rule: string;
  service: string;
  middlewares?: string[];
}

interface DynamicConfiguration {
  http: {
    middlewares: { postern: { forwardAuth: { address: string; authResponseHeaders: string[] } } };
    routers: Record<string, Router>;
  };
}

const { http } = Bun.YAML.parse(guideFile('traefik', 'dynamic/postern.yml')) as DynamicConfiguration;
const { address, authResponseHeaders } = http.middlewares.postern.forwardAuth;
const config = configSchema.parse(Bun.TOML.parse(guideFile('traefik', 'postern.toml')));

const guideForwardAuth = () => temporaryForwardAuth({ rules: config.forward_auth.rule, origin: AUTH_URL });

const HTML = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

/** Asks at the guide's address with what Traefik's middleware sends beside the headers of the client. */
function ask(forwardAuth: TestForwardAuth, uri: string, client: Record<string, string> = {}, method = 'GET') {
  return forwardAuth.send(new URL(address).pathname, {
    ...client,
    host: new URL(address).host,
    'x-forwarded-for': '192.0.2.7',
    'x-forwarded-host': 'app.example.org',
    'x-forwarded-method': method,
    'x-forwarded-port': '443',
    'x-forwarded-proto': client['sec-websocket-key'] === undefined ? 'https' : 'wss',
    'x-forwarded-server': 'traefik',
    'x-forwarded-uri': uri,
    'x-real-ip': '192.0.2.7',
  });
}

/** The request of the client after the middleware: named headers are deleted, then copied from the answer. */
function passedOn(client: Record<string, string>, answer: Response): Record<string, string> {
  const headers = new Headers(client);
  for (const name of authResponseHeaders) {
    headers.delete(name);
    const value = answer.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers.toJSON();
}

async function signedIn(forwardAuth: TestForwardAuth) {
  const { session } = await forwardAuth.signIn(await forwardAuth.addUser('ada'));
  const { token } = await forwardAuth.openChild(session.id, 'app.example.org');
  return { session, cookie: `__Host-postern=${token}` };
}

test('the guide copies every header that a check answers with, and lets sign-in through unchecked', () => {
  expect(authResponseHeaders).toEqual([
    'Remote-User',
    'Remote-Name',
    'Remote-Email',
    'Remote-Groups',
    'Cookie',
    'Authorization',
  ]);
  for (const { rule, service, middlewares } of Object.values(http.routers)) {
    const isUnchecked = service === 'postern';
    expect(middlewares).toEqual(isUnchecked ? undefined : ['postern']);
    if (isUnchecked && rule.includes('app.example.org')) expect(rule).toContain('PathPrefix(`/.postern/`)');
  }
});

describe('asked as by Traefik', () => {
  test('who is signed in passes, and the app gets nothing that a client forged', async () => {
    await using forwardAuth = guideForwardAuth();
    const { cookie } = await signedIn(forwardAuth);
    const client = { cookie: `${cookie}; theme=dark`, 'remote-user': 'root', 'remote-groups': 'admins' };
    const answer = await ask(forwardAuth, '/page?x=1', client);
    expect(answer.status).toBe(200);
    expect(passedOn(client, answer)).toEqual({
      'remote-user': 'ada',
      'remote-name': 'ada',
      'remote-email': '',
      'remote-groups': '',
      cookie: 'theme=dark',
      authorization: '',
    });
  });

  test('nobody is sent to sign-in, and a script is told so', async () => {
    await using forwardAuth = guideForwardAuth();
    const page = await ask(forwardAuth, '/page?x=1', HTML);
    expect([page.status, page.headers.get('location')]).toEqual([302, `${APP_URL}/.postern/start?/page?x=1`]);
    expect((await ask(forwardAuth, '/api', { accept: 'application/json' })).status).toBe(401);
  });

  test('a WebSocket of the host passes, one of a sibling does not', async () => {
    await using forwardAuth = guideForwardAuth();
    const { cookie } = await signedIn(forwardAuth);
    const socket = { cookie, 'sec-websocket-key': 'eA==', 'sec-websocket-version': '13' };
    expect((await ask(forwardAuth, '/socket', { ...socket, origin: APP_URL })).status).toBe(200);
    expect((await ask(forwardAuth, '/socket', { ...socket, origin: 'https://cam.example.org' })).status).toBe(
      403,
    );
  });

  test('rules and bad input are answered as the client should see it', async () => {
    await using forwardAuth = guideForwardAuth();
    const { cookie } = await signedIn(forwardAuth);
    expect((await ask(forwardAuth, '/admin', { cookie })).status).toBe(403);
    expect((await ask(forwardAuth, '/status', {})).status).toBe(200);
    expect((await ask(forwardAuth, '/status/../admin', { cookie })).status).toBe(400);
    expect(
      (await ask(forwardAuth, '/form', { cookie, origin: 'https://cam.example.org' }, 'POST')).status,
    ).toBe(403);
  });

  test('ending the session stops the next request', async () => {
    await using forwardAuth = guideForwardAuth();
    const { cookie, session } = await signedIn(forwardAuth);
    expect((await ask(forwardAuth, '/', { cookie })).status).toBe(200);
    await forwardAuth.ledger.end(session.id, { reason: 'signed_out' });
    expect((await ask(forwardAuth, '/', { cookie })).status).toBe(401);
  });
});
