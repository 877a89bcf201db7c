import { describe, expect, test } from 'bun:test';
import { userStore } from '../../../src/users/store.ts';
import { APP, type AskedFor, aRule, NOTES, temporaryForwardAuth } from '../../support/forward-auth.ts';
import { ADA, copied, HOST_COOKIE, NAVIGATION, NOBODY, problem, signedIn } from '../../support/host-check.ts';

const SCRIPT = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', accept: '*/*' };

describe('who is signed in', () => {
  test('passes, and the app learns who it is', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { cookie, userId } = await signedIn(forwardAuth);
    expect(copied(await forwardAuth.check({ headers: { cookie } }))).toEqual(ADA);

    await forwardAuth.db.write((tx) =>
      userStore(forwardAuth.db).update(tx, userId, {
        displayName: 'Ada 🙂',
        email: 'ada@example.test',
        groups: ['staff', 'a,b'],
      }),
    );
    await forwardAuth.db.write((tx) => forwardAuth.ledger.userChanged(tx, userId));
    const response = await forwardAuth.checkNginx({ headers: { cookie } });
    expect(response.status).toBe(200);
    const { 'remote-name': name, ...rest } = copied(response);
    expect(Buffer.from(name ?? '', 'latin1').toString()).toBe('Ada 🙂');
    expect(rest).toMatchObject({ 'remote-email': 'ada@example.test', 'remote-groups': 'staff,a%2Cb' });
  });

  test('keeps the cookies and credentials that are the app’s own', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { cookie } = await signedIn(forwardAuth);
    const headers = {
      cookie: `theme=dark; ${cookie}; __Host-postern-flow-x=y; postern_7400=z; lang=en`,
      authorization: 'Basic YWRhOng=',
    };
    expect(copied(await forwardAuth.check({ headers }))).toEqual({
      ...ADA,
      cookie: 'theme=dark; lang=en',
      authorization: 'Basic YWRhOng=',
    });
  });

  test('passes with a personal token for the host, which the app does not see', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { parent } = await signedIn(forwardAuth);
    const { token } = await forwardAuth.openToken(parent.session.id);
    const headers = { authorization: `Bearer ${token}`, cookie: 'theme=dark' };
    expect(copied(await forwardAuth.check({ headers, method: 'POST' }))).toEqual({
      ...ADA,
      cookie: 'theme=dark',
    });
    expect((await forwardAuth.checkNginx({ headers })).status).toBe(200);
    expect(await problem(await forwardAuth.check({ headers, host: NOTES }))).toEqual([401, 'not_signed_in']);
  });

  test('does not pass with a personal token as a password, which the app does not see either', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { parent, cookie } = await signedIn(forwardAuth);
    const { token } = await forwardAuth.openToken(parent.session.id);
    const headers = { cookie, authorization: `Basic ${btoa(`ada:${token}`)}` };
    expect(await problem(await forwardAuth.check({ headers }))).toEqual([401, 'not_signed_in']);
    expect(copied(await forwardAuth.check({ uri: '/public', headers }))).toEqual(NOBODY);
  });

  test('is nobody when a token of ours is no good, whatever cookie comes with it', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { cookie } = await signedIn(forwardAuth);
    const headers = { cookie, authorization: `Bearer pstp_${'a'.repeat(66)}` };
    expect(await problem(await forwardAuth.check({ headers }))).toEqual([401, 'not_signed_in']);
  });

  test('is let in by the rule of the path', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { cookie, userId, child } = await signedIn(forwardAuth);
    const headers = { cookie };
    expect(await problem(await forwardAuth.check({ headers, uri: '/staff/x' }))).toEqual([
      403,
      'not_allowed',
    ]);
    expect(await problem(await forwardAuth.check({ headers, uri: '/STAFF' }))).toEqual([403, 'not_allowed']);
    expect((await forwardAuth.checkNginx({ headers, uri: '/staff' })).status).toBe(403);
    await forwardAuth.db.write((tx) => userStore(forwardAuth.db).update(tx, userId, { groups: ['staff'] }));
    await forwardAuth.db.write((tx) => forwardAuth.ledger.userChanged(tx, userId));
    expect((await forwardAuth.check({ headers, uri: '/staff/x' })).status).toBe(200);
    const [row] = await forwardAuth.refusals();
    expect(row).toEqual({
      action: 'forward_auth.denied',
      reason: 'not_allowed',
      host: APP,
      actorUserId: child.session.userId,
      address: '192.0.2.7',
    });
  });

  test('is out with the session, and with its parent', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const first = await signedIn(forwardAuth);
    const second = await signedIn(forwardAuth, 'grace');
    await forwardAuth.ledger.end(first.child.session.id, { reason: 'ended_by_user' });
    await forwardAuth.ledger.end(second.parent.session.id, { reason: 'signed_out' });
    for (const { cookie } of [first, second]) {
      expect(await problem(await forwardAuth.check({ headers: { cookie } }))).toEqual([401, 'not_signed_in']);
    }
  });
});

describe('a credential of another place is unknown', () => {
  test('a session of another host', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { cookie } = await signedIn(forwardAuth);
    expect((await forwardAuth.check({ headers: { cookie }, host: NOTES })).status).toBe(401);
  });

  test('a session of the appliance itself', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { parent } = await signedIn(forwardAuth);
    const headers = { cookie: `${HOST_COOKIE}=${parent.token}` };
    expect((await forwardAuth.check({ headers })).status).toBe(401);
  });

  test('a cookie in the header, a token in the cookie', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { parent, child } = await signedIn(forwardAuth);
    const { token } = await forwardAuth.openToken(parent.session.id);
    expect((await forwardAuth.check({ headers: { authorization: `Bearer ${child.token}` } })).status).toBe(
      401,
    );
    expect((await forwardAuth.check({ headers: { cookie: `${HOST_COOKIE}=${token}` } })).status).toBe(401);
  });

  test('a host on another port of the same name has a cookie of its own', async () => {
    await using forwardAuth = temporaryForwardAuth({ rules: [aRule(), aRule({ host: `${APP}:8443` })] });
    const { parent, cookie } = await signedIn(forwardAuth);
    const other = await forwardAuth.openChild(parent.session.id, `${APP}:8443`);
    const both = { cookie: `${cookie}; ${HOST_COOKIE}-8443=${other.token}` };
    expect((await forwardAuth.check({ headers: both })).status).toBe(200);
    const response = await forwardAuth.check({ headers: both, host: `${APP}:8443` });
    expect(copied(response)).toEqual(ADA);
  });
});

describe('nobody', () => {
  test('is sent to sign-in when looking at a page', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const uri = '/page?a=1&b=/x?y';
    const response = await forwardAuth.check({ uri, headers: NAVIGATION });
    expect(response.status).toBe(302);
    expect(response.headers.get('location')).toBe(`https://${APP}/.postern/start?${uri}`);
    expect(response.headers.get('cache-control')).toBe('no-store');

    const nginx = await forwardAuth.checkNginx({ uri, headers: NAVIGATION });
    expect(nginx.status).toBe(401);
    expect(nginx.headers.get('location')).toBe(`https://${APP}/.postern/start?${uri}`);
  });

  test.each<[string, AskedFor]>([
    ['a script', { headers: SCRIPT }],
    ['a form of a frame', { method: 'POST', headers: { ...NAVIGATION, 'sec-fetch-dest': 'iframe' } }],
    ['a WebSocket', { headers: { 'sec-websocket-key': 'x', accept: 'text/html' } }],
    ['a program', { headers: { accept: '*/*', 'user-agent': 'Mozilla/5.0' } }],
    ['a frame', { headers: { ...NAVIGATION, 'sec-fetch-dest': 'iframe' } }],
  ])('is told so when it is %s', async (_what, asked) => {
    await using forwardAuth = temporaryForwardAuth();
    for (const response of [await forwardAuth.check(asked), await forwardAuth.checkNginx(asked)]) {
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(response.headers.get('location')).toBeNull();
      expect(await problem(response)).toEqual([401, 'not_signed_in']);
    }
  });

  test('sees a page after sending a form, which says that nothing is lost', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const asked = { method: 'POST', uri: '/save?x=1', headers: NAVIGATION };
    const response = await forwardAuth.check(asked);
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    const page = await response.text();
    expect(page).toContain('what you sent did not get through');
    expect(page).toContain('href="/.postern/assets/');
    expect(page).not.toContain('save');
    expect(await problem(await forwardAuth.checkNginx(asked))).toEqual([401, 'not_signed_in']);
  });

  test.each([
    ['garbage', 'x'],
    ['a truncated token', 'pstc_abc'],
    ['a forged token', `pstc_${'A'.repeat(66)}`],
    ['nothing', ''],
  ])('is who brings %s', async (_what, value) => {
    await using forwardAuth = temporaryForwardAuth();
    const headers = { cookie: `${HOST_COOKIE}=${value}` };
    expect(await problem(await forwardAuth.check({ headers }))).toEqual([401, 'not_signed_in']);
  });

  test('passes where the rule is public, and brings nothing of ours along', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { cookie } = await signedIn(forwardAuth);
    expect(copied(await forwardAuth.check({ uri: '/public/x' }))).toEqual(NOBODY);
    const headers = {
      cookie: `${cookie}; theme=dark`,
      authorization: `Bearer pstp_x`,
      'remote-user': 'root',
    };
    const response = await forwardAuth.checkNginx({ uri: '/public', method: 'POST', headers });
    expect(copied(response)).toEqual({ ...NOBODY, cookie: 'theme=dark' });
    expect((await forwardAuth.check({ uri: '/PUBLIC' })).status).toBe(401);
  });
});

describe('a form or a WebSocket', () => {
  test.each<[string, AskedFor, number]>([
    ['of a page of the host', { method: 'POST', headers: { origin: `https://${APP}` } }, 200],
    ['by fetch metadata', { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } }, 200],
    ['of a sibling host', { method: 'POST', headers: { origin: 'https://cam.example.test' } }, 403],
    ['of the appliance', { method: 'POST', headers: { origin: 'https://auth.example.test' } }, 403],
    ['of nowhere', { method: 'DELETE' }, 403],
    ['by a method that nobody knows', { method: 'BREW' }, 403],
    ['by a method in small letters', { method: 'get' }, 403],
    ['by a method told twice', { method: 'GET, POST' }, 403],
    [
      'of an origin that the rule names',
      { method: 'POST', uri: '/hook', headers: { origin: 'https://partner.example.net' } },
      200,
    ],
    [
      'of an origin that another rule names',
      { method: 'POST', headers: { origin: 'https://partner.example.net' } },
      403,
    ],
    ['of the host, upgraded', { headers: { 'sec-websocket-key': 'x', origin: `https://${APP}` } }, 200],
    [
      'of a sibling, upgraded',
      { headers: { 'sec-websocket-key': 'x', origin: 'https://cam.example.test' } },
      403,
    ],
    ['of a sibling that only reads', { headers: { origin: 'https://cam.example.test' } }, 200],
  ])('%s', async (_what, asked, status) => {
    await using forwardAuth = temporaryForwardAuth();
    const { cookie, userId } = await signedIn(forwardAuth);
    const withCookie = { ...asked, headers: { ...asked.headers, cookie } };
    expect((await forwardAuth.check(withCookie)).status).toBe(status);
    expect((await forwardAuth.checkNginx(withCookie)).status).toBe(status);
    const rows = await forwardAuth.refusals();
    const row = {
      action: 'forward_auth.denied',
      reason: 'cross_origin',
      host: APP,
      actorUserId: userId,
      address: '192.0.2.7',
    };
    expect(rows).toEqual(status === 403 ? [row, row] : []);
  });
});

test('checks are counted by outcome', async () => {
  await using forwardAuth = temporaryForwardAuth();
  const { cookie } = await signedIn(forwardAuth);
  await forwardAuth.check({ headers: { cookie } });
  await forwardAuth.check({ headers: { cookie } });
  await forwardAuth.check({ uri: '/public' });
  await forwardAuth.check({ headers: NAVIGATION });
  const text = forwardAuth.metrics.render();
  for (const [outcome, count] of Object.entries({ allowed: 2, public: 1, anonymous: 1 })) {
    expect(text).toContain(`postern_forward_auth_checks_total{outcome="${outcome}"} ${count}\n`);
  }
});

test('an appliance on loopback protects hosts on loopback over http', async () => {
  const host = 'app.localhost:8080';
  await using forwardAuth = temporaryForwardAuth({
    origin: 'http://localhost:7400',
    rules: [aRule({ host })],
  });
  const userId = await forwardAuth.addUser('ada');
  const parent = await forwardAuth.signIn(userId);
  const { token } = await forwardAuth.openChild(parent.session.id, host);
  const asked = {
    host,
    scheme: 'http',
    headers: { cookie: `postern_8080=${token}; postern_7400=${parent.token}` },
  };
  expect(copied(await forwardAuth.check(asked))).toEqual(ADA);
  const anonymous = await forwardAuth.check({ host, scheme: 'http', uri: '/x', headers: NAVIGATION });
  expect(anonymous.headers.get('location')).toBe('http://app.localhost:8080/.postern/start?/x');
});

test('sign-in may lead to pages of protected hosts alone', async () => {
  await using forwardAuth = temporaryForwardAuth();
  const allowed = (url: string) => forwardAuth.forwardAuth.protectedReturnTo(new URL(url));
  expect(allowed(`https://${APP}/page?x#y`)).toBe(true);
  for (const url of [
    `http://${APP}/page`,
    `https://${APP}:8443/`,
    `https://x.${APP}/`,
    `https://${APP}.evil.example/`,
    `https://user@${APP}/`,
    `https://:pass@${APP}/`,
    `https://${APP}/.postern/start`,
    'https://auth.example.test/',
  ]) {
    expect(allowed(url)).toBe(false);
  }
});
