import { describe, expect, test } from 'bun:test';
import { isDevicesToSay, ownHostCookie, withoutOurCredentials } from '../../../src/devices/guard-headers.ts';

const PERSONAL = `pstp_${'a'.repeat(66)}`;
const DEVICE = `pstd_${'a'.repeat(66)}`;

describe('what goes to a device', () => {
  test.each([
    ['a=1; __Host-postern-dev_x=secret; b=2', 'a=1; b=2'],
    ['__Host-postern=secret', null],
    ['postern_7400=secret; postern_7400_flow-x=secret', null],
    ['postern_7401_dev_x=secret; theirs=1', 'theirs=1'],
    ['__Host-postern=a; __Host-postern=b; c=d', 'c=d'],
    [' __Host-postern = spaced ;c=d', 'c=d'],
    ['theirs=__Host-postern=1', 'theirs=__Host-postern=1'],
  ])('of the cookies %p: %p', (sent, kept) => {
    expect(withoutOurCredentials(new Headers({ cookie: sent })).get('cookie')).toBe(kept);
  });

  test.each([
    ['Basic dXNlcjpwYXNz', 'Basic dXNlcjpwYXNz'],
    ['Bearer its-own-token', 'Bearer its-own-token'],
    [`Bearer ${PERSONAL}`, null],
    [`bearer  ${PERSONAL}`, null],
    [`Bearer ${DEVICE}`, null],
    [`Basic ${btoa(`user:${PERSONAL}`)}`, null],
  ])('of the authorization %p: %p', (sent, kept) => {
    expect(withoutOurCredentials(new Headers({ authorization: sent })).get('authorization')).toBe(kept);
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
  expect(isDevicesToSay(name)).toBe(false);
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
