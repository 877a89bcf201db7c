import { describe, expect, test } from 'bun:test';
import { hostOrigin, parseOrigin } from '../../../src/http/origin.ts';

describe('an origin', () => {
  test('is what a browser would send', () => {
    expect(parseOrigin('HTTPS://Auth.Example.com/')).toEqual({
      origin: 'https://auth.example.com',
      host: 'auth.example.com',
      secure: true,
      port: 443,
    });
    expect(parseOrigin('http://localhost:7400')).toEqual({
      origin: 'http://localhost:7400',
      host: 'localhost:7400',
      secure: false,
      port: 7400,
    });
    expect(parseOrigin('https://auth.example.com:443').host).toBe('auth.example.com');
  });

  test.each([
    'auth.example.com',
    'ftp://auth.example.com',
    'https://auth.example.com/path',
    'https://auth.example.com/?q',
    'https://auth.example.com/#f',
    'https://user@auth.example.com',
    'https://:secret@auth.example.com',
    '',
  ])('is not %p', (text) => {
    expect(() => parseOrigin(text)).toThrow(TypeError);
  });

  test('of another host has the same scheme', () => {
    expect(hostOrigin('app.home', true).origin).toBe('https://app.home');
    expect(hostOrigin('app.localhost:8080', false)).toMatchObject({ port: 8080, secure: false });
    expect(() => hostOrigin('app.home/path', true)).toThrow(TypeError);
  });
});
