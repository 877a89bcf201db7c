import { describe, expect, test } from 'bun:test';
import { parseOrigin } from '../../../src/http/origin.ts';
import { newId } from '../../../src/lib/random.ts';
import { attemptCookies, MAX_ATTEMPTS_PER_BROWSER, readState } from '../../../src/sign-in/guard.ts';
import type { AttemptId } from '../../../src/sign-in/model.ts';

const secure = attemptCookies(parseOrigin('https://auth.example.com'));
const local = attemptCookies(parseOrigin('http://localhost:7400'));

const attempt = (id = newId('att') as AttemptId) => ({
  id,
  browserSecret: 's'.repeat(43),
  lifetimeMs: 600_000,
  location: 'https://id.example/authorize',
});
const requestWith = (cookie: string) => new Request('https://auth.example.com/', { headers: { cookie } });
const pairOf = (setCookie: string) => setCookie.split(';')[0] ?? '';

describe('the cookie of an attempt', () => {
  test('is host-only, short-lived, and out of reach of scripts', () => {
    const [cookie = ''] = secure.begin(requestWith(''), attempt());
    expect(cookie).toMatch(/^__Host-postern-at-[a-z2-7]{12}=s{43}; /);
    expect(cookie).toContain('; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure');
    expect(local.begin(requestWith(''), attempt())[0]).toStartWith('postern_7400_at-');
  });

  test('is found again by the state alone', () => {
    const [one, two] = [attempt(), attempt()];
    const cookies = [one, two].flatMap((each) => secure.begin(requestWith(''), each)).map(pairOf);
    const request = requestWith(cookies.join('; '));
    expect(secure.read(request, one.id)).toBe(one.browserSecret);
    expect(secure.read(request, newId('att'))).toBeUndefined();
    expect(() => secure.read(requestWith(`${cookies[0]}; ${cookies[0]}`), one.id)).toThrow('twice');
  });

  test('makes room for a new one by the oldest, however many there are', () => {
    const others = Array.from({ length: 20 }, () =>
      pairOf(secure.begin(requestWith(''), attempt())[0] ?? ''),
    );
    const set = secure.begin(requestWith(`theirs=1; ${others.join('; ')}; __Host-postern=x`), attempt());
    const cleared = set.filter((cookie) => cookie.includes('Max-Age=0')).map(pairOf);
    expect(cleared).toEqual(
      others.slice(0, -(MAX_ATTEMPTS_PER_BROWSER - 1)).map((pair) => `${pair.split('=')[0]}=`),
    );
    expect(set).toHaveLength(cleared.length + 1);
  });

  test('goes with all others at sign-out, and with nothing else', () => {
    const cookies = [attempt(), attempt()].flatMap((each) => local.begin(requestWith(''), each)).map(pairOf);
    const request = requestWith(
      `a=1; ${cookies.join('; ')}; postern_7400=x; postern_7400_known=y; postern_8_at-z=1`,
    );
    expect(local.endAll(request).map((cookie) => cookie.split('=')[0])).toEqual(
      cookies.map((pair) => pair.split('=')[0] ?? ''),
    );
  });

  test('whose name would break a header is left alone', () => {
    expect(local.endAll(requestWith('postern_7400_at-é=1; postern_7400_at-a b=2'))).toEqual([]);
  });
});

describe('a state', () => {
  test('is one of ours, or none', () => {
    const id = newId('att');
    expect(readState(id)).toBe(id);
    for (const state of [undefined, '', 'x', `${id}x`, id.toUpperCase(), `ses${id.slice(3)}`]) {
      expect(readState(state)).toBeUndefined();
    }
  });
});
