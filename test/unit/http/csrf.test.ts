import { describe, expect, test } from 'bun:test';
import { requireSameOrigin } from '../../../src/http/csrf.ts';

const ORIGIN = 'https://auth.example.com';
const request = (method: string, headers: Record<string, string>) =>
  new Request(`${ORIGIN}/`, { method, headers });
const refusal = expect.objectContaining({ kind: 'forbidden', code: 'cross_origin' });

describe('an unsafe method', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s passes from our own pages alone', (method) => {
    expect(() => requireSameOrigin(request(method, { origin: ORIGIN }), ORIGIN)).not.toThrow();
    expect(() =>
      requireSameOrigin(request(method, { 'sec-fetch-site': 'same-origin' }), ORIGIN),
    ).not.toThrow();
  });

  test.each([
    [{}],
    [{ origin: 'null' }],
    [{ origin: '' }],
    [{ origin: 'https://cam.example.com' }],
    [{ origin: 'http://auth.example.com' }],
    [{ origin: 'https://auth.example.com:8443' }],
    [{ origin: 'https://auth.example.com.evil.example' }],
    [{ origin: 'https://AUTH.example.com' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ 'sec-fetch-site': 'none' }],
    [{ origin: 'https://cam.example.com', 'sec-fetch-site': 'same-origin' }],
    [{ referer: `${ORIGIN}/` }],
  ])('with %p is refused', (headers) => {
    expect(() => requireSameOrigin(request('POST', headers), ORIGIN)).toThrow(refusal);
  });
});

describe('a safe method', () => {
  test.each(['GET', 'HEAD', 'OPTIONS'])('%s passes from anywhere', (method) => {
    expect(() =>
      requireSameOrigin(request(method, { origin: 'https://evil.example' }), ORIGIN),
    ).not.toThrow();
  });

  test.each(['websocket', 'WebSocket', 'h2c, websocket'])('that upgrades to %p does not', (upgrade) => {
    expect(() =>
      requireSameOrigin(request('GET', { upgrade, origin: 'https://cam.example.com' }), ORIGIN),
    ).toThrow(refusal);
    expect(() => requireSameOrigin(request('GET', { upgrade }), ORIGIN)).toThrow(refusal);
    expect(() => requireSameOrigin(request('GET', { upgrade, origin: ORIGIN }), ORIGIN)).not.toThrow();
  });
});
