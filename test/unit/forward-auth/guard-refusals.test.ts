import { describe, expect, test } from 'bun:test';
import { APP, type AskedFor, aRule, temporaryForwardAuth } from '../../support/forward-auth.ts';
import { HOST_COOKIE, NAVIGATION, problem, signedIn } from '../../support/host-check.ts';

describe('what is refused, whoever asks', () => {
  const cases: [string, AskedFor, number, string][] = [
    ['a host without a rule', { host: 'other.example.test' }, 403, 'unprotected_host'],
    ['a suffix of a host', { host: 'example.test' }, 403, 'unprotected_host'],
    ['a host told twice', { host: `${APP}, ${APP}` }, 403, 'unprotected_host'],
    ['a host with a user', { host: `ada@${APP}` }, 403, 'unprotected_host'],
    ['a path told twice', { uri: '/public, /staff' }, 400, 'ambiguous_path'],
    ['a path escaped twice', { uri: '/public/%252e%252e/staff' }, 400, 'ambiguous_path'],
    ['a backslash in the path', { uri: '/public\\..\\staff' }, 400, 'ambiguous_path'],
    ['an escaped backslash in the path', { uri: '/public%5c..%5cstaff' }, 400, 'ambiguous_path'],
    ['another scheme', { scheme: 'http' }, 400, 'insecure_scheme'],
    ['dots in the path', { uri: '/public/../staff' }, 400, 'ambiguous_path'],
    ['escaped dots in the path', { uri: '/public/%2e%2e/staff' }, 400, 'ambiguous_path'],
    ['an escaped slash in the path', { uri: '/public%2fstaff' }, 400, 'ambiguous_path'],
    ['an absolute path', { uri: 'https://app.example.test/' }, 400, 'ambiguous_path'],
    ['a path of ours', { uri: '/.postern/start?/x' }, 403, 'postern_path'],
    ['an identity header in disguise', { headers: { Remote_User: 'root' } }, 400, 'disguised_header'],
    ['an identity header with a dot', { headers: { 'Remote.Groups': 'admins' } }, 400, 'disguised_header'],
    ['an upgrade to HTTP/2', { headers: { 'http2-settings': 'AAMAAABkAAQAAP__' } }, 400, 'foreign_upgrade'],
    ['a cookie sent twice', { headers: { cookie: `${HOST_COOKIE}=a; ${HOST_COOKIE}=b` } }, 400, 'bad_cookie'],
    ['a huge cookie', { headers: { cookie: `${HOST_COOKIE}=${'a'.repeat(3_000)}` } }, 400, 'bad_cookie'],
  ];

  test.each(cases)('%s', async (_what, asked, status, code) => {
    await using forwardAuth = temporaryForwardAuth();
    expect(await problem(await forwardAuth.check(asked))).toEqual([status, code]);
    expect((await forwardAuth.refusals()).map(({ reason }) => reason)).toEqual([code]);
  });

  test.each(cases.filter(([what]) => what !== 'an absolute path'))(
    '%s, by nginx',
    async (_what, asked, _status, code) => {
      await using forwardAuth = temporaryForwardAuth();
      expect(await problem(await forwardAuth.checkNginx(asked))).toEqual([403, code]);
    },
  );

  test('a path without a rule', async () => {
    await using forwardAuth = temporaryForwardAuth({ rules: [aRule({ path: '/app' })] });
    const { cookie } = await signedIn(forwardAuth);
    for (const uri of ['/', '/apps', '/APP']) {
      expect(await problem(await forwardAuth.check({ uri, headers: { cookie } }))).toEqual([
        403,
        'unmatched_path',
      ]);
    }
  });

  test('a proxy that does not say what it asks about', async () => {
    await using forwardAuth = temporaryForwardAuth();
    expect(await problem(await forwardAuth.send('/forward-auth', { host: APP }))).toEqual([
      400,
      'forwarded_headers',
    ]);
    expect(await problem(await forwardAuth.send('/forward-auth/nginx', { host: APP }))).toEqual([
      403,
      'forwarded_headers',
    ]);
  });

  test('a page that may not be opened is shown as one', async () => {
    await using forwardAuth = temporaryForwardAuth();
    const { cookie } = await signedIn(forwardAuth);
    const response = await forwardAuth.check({ uri: '/staff', headers: { ...NAVIGATION, cookie } });
    expect([response.status, response.headers.get('content-type')]).toEqual([
      403,
      'text/html; charset=utf-8',
    ]);
    expect(await response.text()).toContain('/.postern/assets/');
  });
});

describe('a peer that is no trusted proxy', () => {
  test('is refused, whatever it says', async () => {
    await using forwardAuth = temporaryForwardAuth({ trusted: '192.0.2.0/24' });
    const { cookie } = await signedIn(forwardAuth);
    const headers = { cookie, 'x-forwarded-for': '192.0.2.1' };
    expect(await problem(await forwardAuth.check({ headers }))).toEqual([403, 'untrusted_peer']);
    expect(
      await problem(await forwardAuth.checkNginx({ host: APP, headers: { ...headers, host: APP } })),
    ).toEqual([403, 'untrusted_peer']);
    expect(await forwardAuth.refusals()).toEqual(
      ['untrusted_peer', 'untrusted_peer'].map((reason) => ({
        action: 'forward_auth.denied',
        reason,
        actorUserId: null,
        address: '127.0.0.1',
      })),
    );
  });
});

test('each proxy’s headers count at its own check alone', async () => {
  await using forwardAuth = temporaryForwardAuth();
  const { cookie } = await signedIn(forwardAuth);
  const forNginx = { 'x-original-method': 'GET', 'x-original-url': `https://${APP}/public` };
  expect((await forwardAuth.check({ uri: '/staff', headers: { cookie, ...forNginx } })).status).toBe(403);
  const forCaddy = {
    'x-forwarded-uri': '/public',
    'x-forwarded-method': 'GET',
    'x-forwarded-host': APP,
    'x-forwarded-proto': 'https',
  };
  expect((await forwardAuth.checkNginx({ uri: '/staff', headers: { cookie, ...forCaddy } })).status).toBe(
    403,
  );
});

test('a flood of refusals leaves few rows', async () => {
  await using forwardAuth = temporaryForwardAuth();
  for (let each = 0; each < 50; each++) await forwardAuth.check({ host: `h${each}.example.test` });
  expect((await forwardAuth.refusals()).length).toBe(20);
  expect(forwardAuth.metrics.render()).toContain(
    'postern_forward_auth_checks_total{outcome="unprotected_host"} 50',
  );
});
