import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { lacksClaims, toIdentityClaims, verifiedEmail } from '../../../src/sign-in/oidc-claims.ts';

const claimsOf = (idToken: Record<string, unknown>, userInfo?: Record<string, unknown>) =>
  toIdentityClaims({
    issuer: 'https://id.example',
    provider: 'id',
    groupsClaim: 'groups',
    idToken,
    userInfo,
  });

describe('claims', () => {
  test('come from the ID token before the UserInfo endpoint', () => {
    const idToken = { sub: 's', name: 'One', groups: ['a'] };
    const userInfo = { sub: 's', name: 'Two', preferred_username: 'two', groups: ['b'] };
    expect(claimsOf(idToken, userInfo)).toEqual({
      issuer: 'https://id.example',
      subject: 's',
      provider: 'id',
      displayName: 'One',
      preferredUsername: 'two',
      verifiedEmail: undefined,
      groups: ['a'],
    });
  });

  test('of the wrong type are as good as absent', () => {
    const claims = claimsOf({
      sub: 's',
      name: 7,
      preferred_username: ['x'],
      email: {},
      groups: { admin: true },
    });
    expect(claims).toMatchObject({ displayName: undefined, preferredUsername: undefined, groups: [] });
  });

  test.each([undefined, 7, '', 'x'.repeat(256), null])('without a usable subject are none: %p', (sub) => {
    expect(claimsOf({ sub })).toBeUndefined();
  });

  test('take one group as a list, and from a list what is text', () => {
    expect(claimsOf({ sub: 's', groups: 'family' })?.groups).toEqual(['family']);
    expect(claimsOf({ sub: 's', groups: ['family', 7, null, 'work'] })?.groups).toEqual(['family', 'work']);
  });

  test('are lacking when any that counts is absent', () => {
    const whole = { preferred_username: 'u', name: 'U', email: 'u@example.com', groups: [] };
    expect(lacksClaims(whole, 'groups')).toBeFalse();
    expect(lacksClaims(whole, 'roles')).toBeTrue();
    expect(lacksClaims({ ...whole, email: undefined }, 'groups')).toBeTrue();
  });
});

describe('an address', () => {
  test('counts when the very source that tells it calls it verified', () => {
    const email = 'me@example.com';
    expect(claimsOf({ sub: 's', email }, { email_verified: true })?.verifiedEmail).toBeUndefined();
    expect(claimsOf({ sub: 's', email_verified: true }, { email })?.verifiedEmail).toBeUndefined();
    expect(claimsOf({ sub: 's', email }, { email, email_verified: true })?.verifiedEmail).toBe(email);
  });

  test.each([
    'a@b@c.example',
    'a@',
    '@b.example',
    'a b@c.example',
    'a@b.example\r\nx: y',
    'a@b.example\u0000',
    'a\u202e@b.example',
    'a@b.example,c@d.example',
    `${'a'.repeat(250)}@b.example`,
    '',
  ])('does not count when it is not one: %j', (email) => {
    expect(verifiedEmail({ email, email_verified: true })).toBeUndefined();
  });

  test('does not count for anything but a plain true', () => {
    for (const email_verified of ['true', 1, {}, [], null, undefined, false]) {
      expect(verifiedEmail({ email: 'me@example.com', email_verified })).toBeUndefined();
    }
  });

  test('of any text has one @ and no white space, or does not count', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.emailAddress(),
      fc.string().map((s) => `${s}@example.com`),
    );
    fc.assert(
      fc.property(text, (email) => {
        const found = verifiedEmail({ email, email_verified: true });
        expect(found === undefined || (found.split('@').length === 2 && !/\s/.test(found))).toBeTrue();
      }),
    );
  });
});
