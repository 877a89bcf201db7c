import { describe, expect, test } from 'bun:test';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SELF_SIGNED_FILE, selfSignedTls } from '../../../src/http/tls-self-signed.ts';
import type { TlsMaterial } from '../../../src/http/tls-source.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';
import { until } from '../../support/until.ts';

const DAY_MS = 86_400_000;

function setUp() {
  const dataDir = mkdtempSync(join(tmpdir(), 'postern-tls-'));
  const clock = new ManualClock();
  const open = (hostname = 'pi.example.com', devicesBase?: string, relayHost?: string) =>
    selfSignedTls({ dataDir, hostname, devicesBase, relayHost, clock, log: recordedLog() });
  return { dataDir, clock, open, [Symbol.dispose]: () => rmSync(dataDir, { recursive: true }) };
}

describe('the self-signed certificate', () => {
  test('names the host that devices dial, and is made anew when that is not in it', async () => {
    using kept = setUp();
    const first = await (async () => {
      await using source = await kept.open('pi.example.com', undefined, 'pi.example.com');
      return source.fingerprint;
    })();
    await using source = await kept.open('pi.example.com', undefined, 'relay.example.com');
    expect(source.fingerprint).not.toBe(first);
    const certificate = new X509Certificate(source.current.cert);
    expect(certificate.checkHost('relay.example.com')).toBe('relay.example.com');
  });

  test('names the host and how else this machine is reached', async () => {
    using kept = setUp();
    await using source = await kept.open();
    const certificate = new X509Certificate(source.current.cert);
    for (const name of ['pi.example.com', 'localhost']) expect(certificate.checkHost(name)).toBe(name);
    for (const address of ['127.0.0.1', '::1']) expect(certificate.checkIP(address)).toBe(address);
    expect(source.fingerprint).toMatch(/^[0-9A-F]{2}(?::[0-9A-F]{2}){31}$/);
  });

  test.each(['192.0.2.7', '[2001:db8::7]'])('can name the address %s', async (hostname) => {
    using kept = setUp();
    await using source = await kept.open(hostname);
    await using again = await kept.open(hostname);
    expect(new X509Certificate(source.current.cert).checkIP(hostname.replaceAll(/[[\]]/g, ''))).toBeDefined();
    expect(again.fingerprint).toBe(source.fingerprint);
  });

  test('stays the same from start to start, in one file for its owner alone', async () => {
    using kept = setUp();
    await using first = await kept.open();
    await using second = await kept.open();
    expect(second.current).toEqual(first.current);
    expect(readdirSync(kept.dataDir)).toEqual([SELF_SIGNED_FILE]);
    expect(statSync(join(kept.dataDir, SELF_SIGNED_FILE)).mode & 0o777).toBe(0o600);
  });

  test('is taken from another process that has made one', async () => {
    using kept = setUp();
    await using first = await kept.open();
    const seen: TlsMaterial[] = [];
    first.onChange((material) => seen.push(material));
    await kept.clock.advance(800 * DAY_MS);
    const [renewed] = seen;
    rmSync(join(kept.dataDir, SELF_SIGNED_FILE));
    await using other = await kept.open();
    expect(other.current).not.toEqual(renewed);
    await until('it is taken', async () => {
      await kept.clock.advance(3_600_000);
      return seen.at(-1)?.cert === other.current.cert;
    });
    expect(first.current).toEqual(other.current);
  });

  test('is made anew for another host', async () => {
    using kept = setUp();
    await using first = await kept.open();
    await using second = await kept.open('other.example.com');
    expect(second.fingerprint).not.toBe(first.fingerprint);
  });

  test('names the hosts of devices, and is made anew for them', async () => {
    using kept = setUp();
    await using without = await kept.open();
    await using source = await kept.open('pi.example.com', 'devices.example.com');
    await using again = await kept.open('pi.example.com', 'devices.example.com');
    const certificate = new X509Certificate(source.current.cert);
    expect(certificate.checkHost('web--pi.devices.example.com')).toBe('*.devices.example.com');
    expect(certificate.checkHost('pi.example.com')).toBe('pi.example.com');
    expect(certificate.checkHost('devices.example.com')).toBeUndefined();
    expect(source.fingerprint).not.toBe(without.fingerprint);
    expect(again.fingerprint).toBe(source.fingerprint);
  });

  test('is made anew when what is kept is damaged', async () => {
    using kept = setUp();
    writeFileSync(join(kept.dataDir, SELF_SIGNED_FILE), 'half a certi');
    await using source = await kept.open();
    expect(source.current.cert).toContain('BEGIN CERTIFICATE');
  });

  test('is renewed before it ends, while it runs', async () => {
    using kept = setUp();
    await using source = await kept.open();
    const applied: TlsMaterial[] = [];
    source.onChange((material) => applied.push(material));
    const before = source.fingerprint;
    kept.clock.setWall(kept.clock.now() + 794 * DAY_MS);
    await kept.clock.advance(3_600_000);
    expect(source.fingerprint).toBe(before);
    kept.clock.setWall(kept.clock.now() + 2 * DAY_MS);
    await kept.clock.advance(3_600_000);
    await kept.clock.advance(3_600_000);
    expect(applied).toHaveLength(1);
    expect(source.fingerprint).not.toBe(before);
    await using next = await kept.open();
    expect(next.current).toEqual(source.current);
  });

  test('is made anew when the clock turns out to have been wrong', async () => {
    using kept = setUp();
    kept.clock.setWall(Date.UTC(1970, 0, 1));
    await using source = await kept.open();
    const before = source.fingerprint;
    kept.clock.setWall(Date.UTC(2030, 0, 1));
    await kept.clock.advance(3_600_000);
    expect(source.fingerprint).not.toBe(before);
  });
});
