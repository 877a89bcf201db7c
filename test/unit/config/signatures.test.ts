import { describe, expect, test } from 'bun:test';
import { noncesOutliveSignatures } from '../../../src/config/checks/devices.ts';
import { configSchema } from '../../../src/config/schema.ts';

describe('what is remembered of signatures', () => {
  const conflicts = (devices: object) => [...noncesOutliveSignatures(configSchema.parse({ devices }))];

  test('is longer than they are good for, unless somebody says otherwise', () => {
    expect(conflicts({})).toEqual([]);
    expect(conflicts({ signature_max_age: '5m', nonce_memory: '6m' })).toEqual([]);
  });

  test.each([
    [{ nonce_memory: '90s' }],
    [{ signature_max_age: '2m' }],
    [{ signature_max_ahead: '1m' }],
    [{ signature_max_age: '1s', signature_max_ahead: '1s', nonce_memory: '2s' }],
  ])('is refused otherwise: %p', (devices) => {
    expect(conflicts(devices)).toMatchObject([{ path: ['devices', 'nonce_memory'] }]);
  });

  test.each(['0s', '-1s', '11m'])('a window of %s is none', (duration) => {
    expect(configSchema.safeParse({ devices: { signature_max_age: duration } }).success).toBe(false);
    expect(configSchema.safeParse({ devices: { signature_max_ahead: duration } }).success).toBe(false);
  });
});
