import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { deviceHostNames } from '../../../src/devices/access-hosts.ts';

const BASE = 'devices.example.com';
const hosts = deviceHostNames(BASE);

describe('the host of a service', () => {
  test.each([
    ['web--pi.devices.example.com', { service: 'web', handle: 'pi' }],
    ['web-ui--kitchen-pi-2.devices.example.com', { service: 'web-ui', handle: 'kitchen-pi-2' }],
    ['8080--3d.devices.example.com', { service: '8080', handle: '3d' }],
  ])('%s is read and written', (host, name) => {
    expect(hosts.parse(host)).toEqual(name);
    expect(hosts.format(name)).toBe(host);
  });

  test.each([
    ['nothing before it', 'devices.example.com'],
    ['no service', '--pi.devices.example.com'],
    ['no handle', 'web--.devices.example.com'],
    ['one hyphen', 'web-pi.devices.example.com'],
    ['three hyphens', 'web---pi.devices.example.com'],
    ['two partings', 'web--pi--x.devices.example.com'],
    ['a parting inside the service', 'a--b--pi.devices.example.com'],
    ['a hyphen before the service', '-web--pi.devices.example.com'],
    ['a hyphen after the handle', 'web--pi-.devices.example.com'],
    ['another label between', 'web--pi.x.devices.example.com'],
    ['another label before', 'x.web--pi.devices.example.com'],
    ['another base', 'web--pi.devices.example.org'],
    ['a base that only ends alike', 'web--pi.mydevices.example.com'],
    ['a base that only begins alike', 'web--pi.devices.example.com.evil.example'],
    ['a port', 'web--pi.devices.example.com:8443'],
    ['a closing dot', 'web--pi.devices.example.com.'],
    ['capitals', 'WEB--pi.devices.example.com'],
    ['a user', 'u:p@web--pi.devices.example.com'],
    ['a user that looks like it', 'web--pi.devices.example.com@evil.example'],
    ['an encoded label', 'xn--pi.devices.example.com'],
    ['an underscore', 'web_x--pi.devices.example.com'],
    ['a dot in the service', 'w.eb--pi.devices.example.com'],
    ['a letter that only looks like one', 'wеb--pi.devices.example.com'],
    ['a long service', `${'a'.repeat(31)}--pi.devices.example.com`],
    ['a long handle', `web--${'a'.repeat(31)}.devices.example.com`],
    ['white space', 'web--pi.devices.example.com '],
    ['two hosts', 'web--pi.devices.example.com, web--pi.devices.example.com'],
    ['nothing', ''],
  ])('is none with %s', (_what, host) => {
    expect(hosts.parse(host)).toBeUndefined();
  });

  test('fits into a label at its longest', () => {
    const name = { service: 'a'.repeat(30), handle: 'b'.repeat(30) };
    const host = hosts.format(name);
    expect(host.indexOf('.')).toBe(62);
    expect(hosts.parse(host)).toEqual(name);
  });

  test('has the port of the base', () => {
    const local = deviceHostNames('devices.localhost:7400');
    expect(local.format({ service: 'web', handle: 'pi' })).toBe('web--pi.devices.localhost:7400');
    expect(local.parse('web--pi.devices.localhost:7400')).toEqual({ service: 'web', handle: 'pi' });
    expect(local.parse('web--pi.devices.localhost')).toBeUndefined();
    expect(local.parse('web--pi.devices.localhost:7401')).toBeUndefined();
  });

  test('means one service of one handle: what is read is what was written', () => {
    const part = (max: number) =>
      fc.stringMatching(/^[a-z0-9]+(?:-[a-z0-9]+){0,2}$/, { maxLength: max }).filter((text) => text !== 'xn');
    fc.assert(
      fc.property(part(30), part(30), (service, handle) => {
        expect(hosts.parse(hosts.format({ service, handle }))).toEqual({ service, handle });
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        const name = hosts.parse(`${text}.${BASE}`);
        if (name !== undefined) expect(hosts.format(name)).toBe(`${text}.${BASE}`);
      }),
    );
  });
});
