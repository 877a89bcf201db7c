import { expect, test } from 'bun:test';
import { posix } from 'node:path';
import * as fc from 'fast-check';
import { canonicalPath } from '../../src/forward-auth/canonical-path.ts';
import { compileRules } from '../../src/forward-auth/rules.ts';

const HOST = 'app.example.test';
const ADMINS = { subjects: [], emails: [], domains: [], groups: ['admins'] };
const RULES = [
  { path: '/', allow: 'everyone' as const },
  { path: '/admin', allow: ADMINS },
  { path: '/status', allow: 'public' as const },
];
const host = compileRules(
  RULES.map((rule) => ({ ...rule, host: HOST, allowed_origins: [] })),
  { secure: true, subjectsOf: () => [] },
).find(HOST);

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

const withoutParameters = (path: string) => path.replaceAll(/;[^/]*/g, '');
const asWindowsDoes = (path: string) =>
  path.replaceAll(/[^/]+/g, (name) => (/^\.{1,2}$/.test(name) ? name : name.replace(/[. ]+$/, '')));

/** How programs find out which page a path means. */
const READINGS: readonly ((path: string) => string)[] = [
  (path) => path,
  (path) => posix.normalize(path),
  (path) => posix.normalize(decoded(path)),
  (path) => posix.normalize(decoded(decoded(path))),
  (path) => posix.normalize(withoutParameters(path)),
  (path) => posix.normalize(withoutParameters(decoded(path))),
  (path) => posix.normalize(decoded(withoutParameters(path))),
  (path) => posix.normalize(decoded(path).replaceAll('\\', '/')),
  (path) => posix.normalize(decoded(path).replace(/[?#].*$/s, '')),
  (path) => posix.normalize(asWindowsDoes(decoded(path).normalize('NFKC'))),
  (path) => decoded(path).replaceAll(/\/+/g, '/'),
  (path) => new URL(`https://${HOST}${path}`).pathname,
];

const isUnder = (path: string, prefix: string) => `${path.toLowerCase()}/`.startsWith(`${prefix}/`);

const PIECES =
  '/ / / admin ADMIN status . .. ; ;x=1 %2e %2E%2e %2f %5c \\ %25 %252e %3b %20 %00 %61 dmin %23 %3f %EF%BC%8E %EF%BC%8F %E2%80%A5 %C3%A4 %ff x %7e %2D';
const paths = fc
  .array(fc.constantFrom(...PIECES.split(' ')), { minLength: 1, maxLength: 8 })
  .chain((parts) =>
    fc.constantFrom('/', '/status', '/status/', '/admin', '/page/').map((start) => start + parts.join('')),
  );

test('no reading of a path that passes leads past the rules it passed', () => {
  fc.assert(
    fc.property(paths, (path) => {
      const canonical = canonicalPath(path);
      const rules = canonical === undefined ? [] : (host?.rulesFor(canonical) ?? []);
      if (rules.length === 0) return;
      const isPublic = rules.every((rule) => rule.isPublic);
      const isForAdmins = rules.some((rule) => rule.path === '/admin');
      for (const read of READINGS) {
        const meant = read(path);
        if (isPublic) expect([meant, isUnder(meant, '/status')]).toEqual([meant, true]);
        if (!isForAdmins) expect([meant, isUnder(meant, '/admin')]).toEqual([meant, false]);
      }
    }),
    { numRuns: 20_000 },
  );
});
