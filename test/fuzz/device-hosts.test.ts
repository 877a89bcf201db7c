import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { deviceHostNames } from '../../src/devices/access-hosts.ts';
import { ownHostCookie } from '../../src/devices/guard-headers.ts';
import { cookieValue } from '../../src/http/cookies.ts';
import { FUZZ_CASES } from '../support/fuzz-cases.ts';

const OUR_NAMES = [
  '__Host-postern',
  '__Host-postern-dev_abc',
  '__Host-postern-tenant',
  'postern_7400',
  'postern_7400_dev_abc',
];
const BLANK = /^[ \t]+|[ \t]+$/g;

/** What a browser makes of a `Set-Cookie` (RFC 6265bis section 5.6): what it sends back, and for which domain. */
function inBrowser(setCookie: string): { sent: string; domain: string | undefined } | undefined {
  if (Array.from(setCookie).some((sign) => /\p{Cc}/u.test(sign) && sign !== '\t' && sign < '\u0080'))
    return undefined;
  const [pair = '', ...attributes] = setCookie.split(';');
  const equals = pair.indexOf('=');
  const name = (equals === -1 ? '' : pair.slice(0, equals)).replaceAll(BLANK, '');
  const value = (equals === -1 ? pair : pair.slice(equals + 1)).replaceAll(BLANK, '');
  const domains = attributes.flatMap((attribute) => {
    const [key = '', ...rest] = attribute.split('=');
    return key.replaceAll(BLANK, '').toLowerCase() === 'domain' ? [rest.join('=')] : [];
  });
  return { sent: name === '' ? value : `${name}=${value}`, domain: domains.at(-1) };
}

const piece = fc.constantFrom(
  ...OUR_NAMES,
  '__host-postern',
  '__Secure-postern',
  'postern',
  'own',
  '=',
  '=',
  ';',
  ';',
  ' ',
  '\t',
  ',',
  '"',
  'Domain',
  'domain',
  'DOMAIN=',
  'Domain=example.com',
  'Path=/',
  'Secure',
  'HttpOnly',
  'Max-Age=0',
  '\u00a0',
  '\u00e9',
  'x',
);
const setCookie = fc.oneof(
  fc.array(piece, { maxLength: 9 }).map((all) => all.join('')),
  fc.string(),
);

test('no Set-Cookie of a device makes a browser send a cookie of ours, or one to another host', () => {
  fc.assert(
    fc.property(setCookie, fc.constantFrom('', 'theirs=1; '), (value, before) => {
      const passed = ownHostCookie(value);
      const kept = passed === undefined ? undefined : inBrowser(passed);
      if (kept === undefined) return;
      expect(kept.domain).toBeUndefined();
      for (const name of OUR_NAMES) expect(cookieValue(`${before}${kept.sent}`, name)).toBeUndefined();
    }),
    { numRuns: FUZZ_CASES },
  );
});

test('every other cookie passes as it is, but for its domain', () => {
  const token = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_-]{0,20}$/).filter((name) => !/postern/i.test(name));
  const value = fc.stringMatching(/^[!#-+\--:<-[\]-~]{0,20}$/);
  fc.assert(
    fc.property(token, value, (name, text) => {
      const given = `${name}=${text}; Path=/x; HttpOnly; SameSite=Strict`;
      expect(ownHostCookie(given)).toBe(given);
      expect(ownHostCookie(`${given}; Domain=example.com`)).toBe(given);
    }),
    { numRuns: FUZZ_CASES },
  );
});

test('a host names one service of one device, or none', () => {
  const hosts = deviceHostNames('devices.example.com');
  const part = fc.constantFrom(
    'web',
    'pi',
    '-',
    '--',
    '.',
    'xn',
    'devices.example.com',
    '.devices.example.com',
    ':',
    '443',
    '@',
    '_',
    'A',
    'é',
    '/',
    ' ',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(part, { maxLength: 7 }).map((all) => all.join('')),
        fc.string(),
      ),
      (host) => {
        const name = hosts.parse(host);
        if (name === undefined) return;
        expect(hosts.format(name)).toBe(host);
        expect(`${name.service} ${name.handle}`).toMatch(/^[a-z0-9-]{1,30} [a-z0-9-]{1,30}$/);
        expect(`${name.service}${name.handle}`).not.toContain('--');
        // What a browser reads it as is the same host.
        expect(new URL(`https://${host}/`).host).toBe(host);
      },
    ),
    { numRuns: FUZZ_CASES },
  );
});
