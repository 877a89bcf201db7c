import { describe, expect, test } from 'bun:test';
import { hasDisguisedIdentity, identityHeaders } from '../../../src/forward-auth/identity-headers.ts';
import { aPerson } from '../../support/person.ts';

const utf8 = (header: string) => Buffer.from(header, 'latin1').toString('utf8');

test('an app learns name, display name, address and groups', () => {
  const ada = aPerson({ displayName: 'Ada King', email: 'ada@example.test', groups: ['staff', 'admins'] });
  expect(identityHeaders(ada)).toEqual({
    'Remote-User': 'ada',
    'Remote-Name': 'Ada King',
    'Remote-Email': 'ada@example.test',
    'Remote-Groups': 'staff,admins',
  });
});

test('what is not known is empty', () => {
  const { 'Remote-Email': email, 'Remote-Groups': groups } = identityHeaders(aPerson());
  expect([email, groups]).toEqual(['', '']);
});

test('names travel as UTF-8', () => {
  const { 'Remote-Name': name } = identityHeaders(aPerson({ displayName: 'Zoë 🙂' }));
  expect(name).toMatch(/^[\x20-\xff]+$/);
  expect(utf8(name)).toBe('Zoë 🙂');
});

test('a name cannot begin a new header', () => {
  const { 'Remote-Name': name } = identityHeaders(
    aPerson({ displayName: 'Ada\r\nRemote-Groups: admins\u2028\0' }),
  );
  expect(name).toBe('Ada Remote-Groups: admins');
});

test.each([
  ['staff,admins', 'staff%2Cadmins'],
  [' admins', '%20admins'],
  ['admins\t', 'admins%09'],
  ['\nadmins', '%0Aadmins'],
  ['100%', '100%25'],
  ['a%2Cb', 'a%252Cb'],
  ['home owners', 'home owners'],
  ['', ''],
  ['\0', ''],
])('the group %j cannot pass for others: %j', (group, sent) => {
  expect(identityHeaders(aPerson({ groups: [group] }))['Remote-Groups']).toBe(sent);
});

describe('a header that an app could take for an identity header', () => {
  test.each(['remote_user', 'remote.user', 'remote_groups', 'remote~email', 'remote_name'])('%s', (name) => {
    expect(hasDisguisedIdentity({ host: 'x', [name]: 'admin' })).toBe(true);
  });

  test.each([
    'remote-user',
    'remote-groups',
    'remote-users',
    'remoteuser',
    'remote_user_agent',
    'x_remote_user',
    'referer',
  ])('is not %s', (name) => {
    expect(hasDisguisedIdentity({ host: 'x', [name]: 'admin' })).toBe(false);
  });
});
