import { describe, expect, test } from 'bun:test';
import {
  fieldsForDevice,
  fieldsForVisitor,
  isDevicesToSay,
  ownHostCookie,
} from '../../../src/devices/guard-headers.ts';
import type { User } from '../../../src/users/model.ts';
import { aPerson } from '../../support/person.ts';

const PERSONAL = `pstp_${'a'.repeat(66)}`;
const DEVICE = `pstd_${'a'.repeat(66)}`;

const VISITOR = {
  address: '192.0.2.7',
  host: 'web--pi.devices.example.com',
  scheme: 'https',
  person: undefined,
} as const;

const sentOn = (sent: Record<string, string>, person?: User): Record<string, string> =>
  Object.fromEntries(fieldsForDevice(new Headers(sent), { ...VISITOR, person }));

describe('what goes to a device', () => {
  test('says where a visitor comes from, and who it is, whatever the visitor says of that', () => {
    const claims = {
      'remote-user': 'root',
      'Remote-Groups': 'admins',
      forwarded: 'for=10.0.0.1',
      'x-forwarded-for': '10.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-prefix': '/x',
      'x-forwarded-user': 'root',
      'x-real-ip': '10.0.0.1',
      'x-original-url': '/admin',
      'x-rewrite-url': '/admin',
      accept: 'text/html',
    };
    const told = {
      accept: 'text/html',
      'x-forwarded-for': '192.0.2.7',
      'x-forwarded-host': 'web--pi.devices.example.com',
      'x-forwarded-proto': 'https',
    };
    expect(sentOn(claims)).toEqual({
      ...told,
      'remote-user': '',
      'remote-name': '',
      'remote-email': '',
      'remote-groups': '',
    });
    expect(sentOn(claims, aPerson({ groups: ['staff'], email: 'ada@example.com' }))).toEqual({
      ...told,
      'remote-user': 'ada',
      'remote-name': 'Ada',
      'remote-email': 'ada@example.com',
      'remote-groups': 'staff',
    });
  });

  test('holds nothing of the connection', () => {
    const sent = sentOn({
      connection: 'keep-alive, x-secret',
      'x-secret': '1',
      'keep-alive': '5',
      te: 'trailers',
      'transfer-encoding': 'chunked',
      upgrade: 'h2c',
      'http2-settings': 'x',
      'proxy-authorization': `Bearer ${PERSONAL}`,
    });
    expect(Object.keys(sent).filter((name) => !/^(?:x-forwarded-|remote-)/.test(name))).toEqual([]);
  });

  test.each([
    ['a=1; __Host-postern-dev_x=secret; b=2', 'a=1; b=2'],
    ['__Host-postern=secret', undefined],
    ['postern_7400=secret; postern_7400_flow-x=secret', undefined],
    ['postern_7401_dev_x=secret; theirs=1', 'theirs=1'],
    ['__Host-postern=a; __Host-postern=b; c=d', 'c=d'],
    [' __Host-postern = spaced ;c=d', 'c=d'],
    ['theirs=__Host-postern=1', 'theirs=__Host-postern=1'],
  ])('of the cookies %p: %p', (sent, kept) => {
    expect(sentOn({ cookie: sent })['cookie']).toBe(kept);
  });

  test.each([
    ['Basic dXNlcjpwYXNz', 'Basic dXNlcjpwYXNz'],
    ['Bearer its-own-token', 'Bearer its-own-token'],
    [`Bearer ${PERSONAL}`, undefined],
    [`bearer  ${PERSONAL}`, undefined],
    [`Bearer ${DEVICE}`, undefined],
    [`Basic ${btoa(`user:${PERSONAL}`)}`, undefined],
  ])('of the authorization %p: %p', (sent, kept) => {
    expect(sentOn({ authorization: sent })['authorization']).toBe(kept);
  });
});

describe('a cookie that a device sets', () => {
  test.each([
    ['a=1', 'a=1'],
    ['a=1; Path=/; HttpOnly; SameSite=Strict; Secure', 'a=1; Path=/; HttpOnly; SameSite=Strict; Secure'],
    ['a=1; Domain=devices.example.com; Path=/', 'a=1; Path=/'],
    ['a=1;domain=.example.com', 'a=1'],
    ['a=1; DOMAIN = example.com ;Path=/x', 'a=1;Path=/x'],
    ['a=1; Domain', 'a=1'],
    ['a=1; Domain=a.example; Domain=b.example', 'a=1'],
    ['a="Domain=x"; Path=/', 'a="Domain=x"; Path=/'],
    ['__Host-theirs=1; Path=/; Secure', '__Host-theirs=1; Path=/; Secure'],
    ['a=__Host-postern=1', 'a=__Host-postern=1'],
    ['posternish=1', 'posternish=1'],
    ['', ''],
  ])('%p passes as %p', (set, passed) => {
    expect(ownHostCookie(set)).toBe(passed);
  });

  test.each([
    ['the name of our session', '__Host-postern=x; Path=/; Secure'],
    ['the name of a session at this host', '__Host-postern-dev_abc=x'],
    ['the name of a sign-in under way', '__Host-postern-flow-1=x'],
    ['the name we have on loopback', 'postern_7400=x'],
    ['the name we have there with another port', 'postern_1_dev_abc=x'],
    ['space around the name', ' \t__Host-postern \t= x'],
    ['no name, and a value that reads like ours', '=__Host-postern=x'],
    ['no name and no sign', '__Host-postern'],
    ['several signs', '==__Host-postern=x'],
    ['an end by a date', '__Host-postern=; Max-Age=0'],
    ['a line break', 'a=1\r\nSet-Cookie: __Host-postern=x'],
    ['a control character', 'a\u0000=1'],
    ['an escape', 'a=\u001b'],
  ])('with %s is dropped', (_what, set) => {
    expect(ownHostCookie(set)).toBeUndefined();
  });
});

test.each([
  'Clear-Site-Data',
  'Strict-Transport-Security',
  'Alt-Svc',
  'NEL',
  'Report-To',
  'Reporting-Endpoints',
])('%s is not a device’s to say', (name) => {
  expect(isDevicesToSay(name.toLowerCase())).toBe(false);
});

test.each([
  'content-type',
  'service-worker-allowed',
  'access-control-allow-origin',
  'content-security-policy',
  'refresh',
])('%s is', (name) => {
  expect(isDevicesToSay(name)).toBe(true);
});

test('an answer keeps what is the device’s to say, each as often as it said it', () => {
  const headers = fieldsForVisitor([
    ['content-type', 'text/html'],
    ['set-cookie', 'a=1; Domain=example.com'],
    ['set-cookie', 'b=2; Path=/x'],
    ['set-cookie', '__Host-postern=x; Path=/; Secure'],
    ['clear-site-data', '"cookies"'],
    ['vary', 'accept'],
    ['vary', 'origin'],
  ]);
  expect(headers.getSetCookie()).toEqual(['a=1', 'b=2; Path=/x']);
  expect(headers.get('clear-site-data')).toBeNull();
  expect(headers.get('vary')).toBe('accept, origin');
  expect(headers.get('content-type')).toBe('text/html');
});
