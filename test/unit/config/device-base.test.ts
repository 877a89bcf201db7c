import { expect, test } from 'bun:test';
import { isBelowBase, usualDeviceBase } from '../../../src/config/device-base.ts';
import { configDirectory } from '../../support/config-directory.ts';

const settled = (toml: string) => {
  using directory = configDirectory(toml);
  return directory.load().devices.base;
};

test.each([
  ['', 'devices.localhost:7400'],
  ['url = "http://localhost:8080"', 'devices.localhost:8080'],
  ['url = "http://localhost"', 'devices.localhost'],
  ['url = "http://127.0.0.1:7400"', 'devices.localhost:7400'],
  ['url = "http://postern.localhost:7400"', 'devices.localhost:7400'],
  ['url = "http://devices.localhost:7400"', undefined],
  ['url = "http://a.devices.localhost:7400"', undefined],
  ['url = "https://auth.example.com"', undefined],
  ['url = "https://localhost:7400"', undefined],
  ['[devices]\nbase = "boxes.localhost:7400"', 'boxes.localhost:7400'],
  ['url = "https://auth.example.com"\n[devices]\nbase = "devices.example.com"', 'devices.example.com'],
])('with %p hosts of devices are below %p', (toml, base) => {
  expect(settled(toml)).toBe(base);
});

test('they are nowhere by themselves where a rule has a host there', () => {
  const rule = (host: string) => [{ host, path: '/', allow: 'everyone' as const, allowed_origins: [] }];
  const base = (host: string) =>
    usualDeviceBase({
      url: 'http://localhost:7400',
      forward_auth: { rule: rule(host), ticket_lifetime: 1, flow_lifetime: 1 },
    });
  expect(base('app.localhost:7400')).toBe('devices.localhost:7400');
  expect(base('devices.localhost:9000')).toBeUndefined();
  expect(base('web--pi.devices.localhost')).toBeUndefined();
});

test.each([
  ['devices.example.com', true],
  ['a.devices.example.com', true],
  ['a.b.devices.example.com:8443', true],
  ['example.com', false],
  ['xdevices.example.com', false],
  ['devices.example.com.evil.example', false],
  ['[::1]:7400', false],
])('%s stands below the base: %p', (host, isBelow) => {
  expect(isBelowBase(host, 'devices.example.com')).toBe(isBelow);
  expect(isBelowBase(host, 'devices.example.com:9000')).toBe(isBelow);
});
