import { expect, test } from 'bun:test';
import { matchesPeople } from '../../../src/users/rules.ts';

const NOBODY = { subjects: [], emails: [], domains: [], groups: [] };

test('everyone is everyone, and an empty rule means nobody', () => {
  expect(matchesPeople('everyone', { groups: [] })).toBe(true);
  expect(matchesPeople(NOBODY, { subject: 'a', email: 'a@example.org', groups: ['g'] })).toBe(false);
});

test('one match of any list is enough', () => {
  const rule = {
    subjects: ['s-1'],
    emails: ['alice@example.org'],
    domains: ['family.example'],
    groups: ['admins'],
  };
  expect(matchesPeople(rule, { subject: 's-1', groups: [] })).toBe(true);
  expect(matchesPeople(rule, { email: 'ALICE@Example.ORG', groups: [] })).toBe(true);
  expect(matchesPeople(rule, { email: 'bob@FAMILY.example', groups: [] })).toBe(true);
  expect(matchesPeople(rule, { groups: ['x', 'admins'] })).toBe(true);
  expect(matchesPeople(rule, { subject: 's-2', email: 'bob@example.org', groups: ['Admins'] })).toBe(false);
});

test.each([
  'alice@family.example@evil.example',
  'alice@evil.example@family.example',
  'alice@sub.family.example',
  'alice@evilfamily.example',
  'alice@family.example.evil.example',
  'alice@family.example ',
  'alice@ﬀamily.example',
  'family.example',
  '@family.example',
])('a domain rule does not mean %j', (email) => {
  expect(matchesPeople({ ...NOBODY, domains: ['family.example'] }, { email, groups: [] })).toBe(false);
});

test('no folding beyond ASCII lets one mailbox stand for another', () => {
  const rule = { ...NOBODY, emails: ['kate@example.org'] };
  expect(matchesPeople(rule, { email: '\u212aate@example.org', groups: [] })).toBe(false);
});

test('a domain may be written with its @', () => {
  expect(
    matchesPeople({ ...NOBODY, domains: ['@Family.example'] }, { email: 'a@family.example', groups: [] }),
  ).toBe(true);
});
