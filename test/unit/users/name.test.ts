import { describe, expect, test } from 'bun:test';
import { foldName } from '../../../src/users/model.ts';
import {
  cleanDisplayName,
  cleanGroups,
  isPrivilegedName,
  isUsername,
  parseEmail,
  usernameFrom,
} from '../../../src/users/name.ts';

test.each([
  ['Alice', 'alice'],
  ['ＡＬＩＣＥ', 'alice'],
  ['ﬁona', 'fiona'],
  ['STRASSE', 'strasse'],
])('%s and %s are one name', (text, folded) => {
  expect(foldName(text)).toBe(folded);
});

describe('a username', () => {
  test.each(['a', 'alice', 'Alice.Liddell', 'a-1_b', '7', 'x'.repeat(64)])('%s is one', (name) => {
    expect(isUsername(name)).toBe(true);
  });

  test.each([
    '',
    '.a',
    'a.',
    '-a',
    'a b',
    'a@b',
    'é',
    'a\n',
    'a,b',
    'a:b',
    '<b>',
    'x'.repeat(65),
    'ａlice',
    'a\u0000',
  ])('%j is none', (name) => {
    expect(isUsername(name)).toBe(false);
  });

  test.each([
    [['Alice'], 'alice'],
    [['alice@example.org'], 'alice'],
    [['alice@bob@example.org'], 'alice'],
    [['Zoë Ångström'], 'zoe-angstrom'],
    [['Straße/Łódź'], 'strasse-lodz'],
    [['李', undefined, 'li@example.org'], 'li'],
    [['李'], 'user'],
    [[undefined, ''], 'user'],
    [['../../etc/passwd'], 'etc-passwd'],
    [['a\r\nRemote-Groups: admins'], 'a-remote-groups-admins'],
    [['-._x._-'], 'x'],
    [['x'.repeat(300)], 'x'.repeat(64)],
    [[`${'x'.repeat(63)}-y`], 'x'.repeat(63)],
  ])('made of %j is %s', (candidates, name) => {
    expect(usernameFrom(candidates)).toBe(name);
    expect(isUsername(name)).toBe(true);
  });

  test('that apps take for their administrator’s is told, in any form', () => {
    expect(['admin', 'ADMIN', 'Root', 'ａdmin'].map(isPrivilegedName)).toEqual([true, true, true, true]);
    expect(isPrivilegedName('adam')).toBe(false);
  });
});

test.each([
  ['  Alice\tLiddell \r\n', 'Alice Liddell'],
  ['Al\u0000ice\u0007', 'Alice'],
  ['\u202Eecila\u202C', 'ecila'],
  ['\u2066x\u2069\u200b\ufeff', 'x'],
  ['\ud800 lone', '\ufffd lone'],
  ['👩‍👧 Mum', '👩‍👧 Mum'],
  ['<b>"Bob" & co</b>', '<b>"Bob" & co</b>'],
  ['x'.repeat(500), 'x'.repeat(128)],
  ['\u0000\u200b ', undefined],
  [undefined, undefined],
])('a display name of %j is kept as %j', (text, kept) => {
  expect(cleanDisplayName(text)).toBe(kept);
});

test('groups that cannot be told exactly are left out, never repaired', () => {
  const groups = [
    'family',
    'adm\u0000ins',
    ' admins',
    'family',
    'ad\u200bmins',
    '',
    'cn=a,dc=b',
    'x'.repeat(129),
  ];
  expect(cleanGroups(groups)).toEqual(['family', 'cn=a,dc=b']);
  expect(cleanGroups(Array.from({ length: 1_000 }, (_, index) => `g${index}`))).toHaveLength(256);
});

describe('an address', () => {
  test('has a part on each side of its one @', () => {
    expect(parseEmail('Alice+x@Example.org')).toEqual({ local: 'Alice+x', domain: 'Example.org' });
  });

  test.each([
    undefined,
    '',
    'alice',
    '@example.org',
    'alice@',
    'alice@good.example@evil.example',
    'a lice@example.org',
    'alice@example.org\r\nBcc: x',
    'alice@exa\u0000mple.org',
    'alice@example.org\u202e',
    '"a@b"@example.org',
    'Alice <alice@example.org>',
    'a@example.org,b@example.org',
    `${'x'.repeat(250)}@example.org`,
  ])('is not %j', (text) => {
    expect(parseEmail(text)).toBeUndefined();
  });
});
