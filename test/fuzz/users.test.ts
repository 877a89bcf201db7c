import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { readSecret } from '../../src/sign-in/single-use-secret.ts';
import { foldName } from '../../src/users/model.ts';
import { cleanDisplayName, cleanGroups, isUsername, parseEmail, usernameFrom } from '../../src/users/name.ts';
import { normalizePassword, requireGoodPassword } from '../../src/users/password-rules.ts';
import { matchesPeople } from '../../src/users/rules.ts';
import { deviceName } from '../../src/web/user-agent.ts';

const anything = fc.string({ unit: 'binary', maxLength: 400 });
const odd = fc.oneof(
  anything,
  fc.string({
    unit: fc.constantFrom('@', '.', ' ', '\u0000', '\u202e', 'a', 'İ', 'ﬁ', '\ud800'),
    maxLength: 40,
  }),
);

test('whatever a provider calls somebody, a username comes of it', () => {
  fc.assert(
    fc.property(fc.array(odd, { maxLength: 3 }), (candidates) => {
      const name = usernameFrom(candidates);
      expect(isUsername(name)).toBe(true);
      expect(foldName(name)).toBe(name);
    }),
  );
});

test('a display name is one visible line, and cleaning it again changes nothing', () => {
  fc.assert(
    fc.property(odd, (text) => {
      const name = cleanDisplayName(text);
      if (name === undefined) return;
      expect(name).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      expect(name.isWellFormed()).toBe(true);
      expect(cleanDisplayName(name)).toBe(name);
    }),
  );
});

test('groups that are kept are kept as they are', () => {
  fc.assert(
    fc.property(fc.array(odd), (groups) => {
      for (const group of cleanGroups(groups)) expect(groups).toContain(group);
    }),
  );
});

test('folding is settled after one time', () => {
  fc.assert(fc.property(anything, (text) => expect(foldName(foldName(text))).toBe(foldName(text))));
});

test('a domain rule means addresses with one @ and exactly that domain', () => {
  fc.assert(
    fc.property(odd, odd, (local, domain) => {
      const email = `${local}@${domain}`;
      const rule = { subjects: [], emails: [], domains: ['good.example'], groups: [] };
      const isMeant = matchesPeople(rule, { email, groups: [] });
      expect(isMeant).toBe(parseEmail(email) !== undefined && domain.toLowerCase() === 'good.example');
    }),
  );
});

test('no password makes the rules fail otherwise than with words', () => {
  fc.assert(
    fc.property(odd, (password) => {
      try {
        requireGoodPassword(password, { host: 'auth.example', username: 'alice' });
        expect(Array.from(normalizePassword(password)).length).toBeGreaterThanOrEqual(15);
      } catch (error) {
        expect(error).toMatchObject({ kind: 'unprocessable', code: 'bad_password' });
      }
    }),
  );
});

test('a secret is read from what was typed, or nothing is', () => {
  fc.assert(
    fc.property(anything, (text) => {
      expect(readSecret(text) ?? 'x'.repeat(43)).toMatch(/^[A-Za-z0-9_-]{43}$/);
    }),
  );
});

test('every user agent has a short name', () => {
  fc.assert(
    fc.property(anything, (text) => {
      expect(deviceName(text).length).toBeLessThan(60);
    }),
  );
});
