import { describe, expect, test } from 'bun:test';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { makeSelfSigned } from '../../../src/http/certificate.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2030, 0, 1, 12, 34, 56);
const NAMES = ['pi.example.com', 'localhost', '127.0.0.1', '::1', '2001:db8::7'];

const make = (notAfter = NOW + DAY_MS) => makeSelfSigned({ names: NAMES, notBefore: NOW, notAfter });

describe('a self-signed certificate', () => {
  test('is signed by its own key and belongs to it', () => {
    const { cert, key } = make();
    const certificate = new X509Certificate(cert);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(certificate.issuer).toBe(certificate.subject);
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  test('is good for its names and no others', () => {
    const certificate = new X509Certificate(make().cert);
    for (const name of ['pi.example.com', 'localhost']) expect(certificate.checkHost(name)).toBe(name);
    for (const address of ['127.0.0.1', '::1', '2001:db8::7'])
      expect(certificate.checkIP(address)).toBe(address);
    expect(certificate.checkHost('example.com')).toBeUndefined();
    expect(certificate.checkIP('127.0.0.2')).toBeUndefined();
  });

  test.each([NOW + DAY_MS, Date.UTC(2049, 11, 31, 23, 59, 59), Date.UTC(2050, 0, 1), Date.UTC(2131, 5, 7)])(
    'lasts until %p',
    (notAfter) => {
      const certificate = new X509Certificate(make(notAfter).cert);
      expect(certificate.validFromDate.getTime()).toBe(NOW);
      expect(certificate.validToDate.getTime()).toBe(notAfter);
    },
  );

  test('never has the serial number or the key of another', () => {
    const made = Array.from({ length: 20 }, () => make());
    const serials = made.map(({ cert }) => new X509Certificate(cert).serialNumber);
    expect(new Set(serials).size).toBe(20);
    expect(serials.every((serial) => serial.length === 32)).toBe(true);
    expect(new Set(made.map(({ key }) => key)).size).toBe(20);
  });

  test('satisfies OpenSSL at its strictest', async () => {
    await using openssl = Bun.spawn(
      ['openssl', 'verify', '-x509_strict', '-CAfile', '/dev/stdin', '-no_check_time', '/dev/stdin'],
      {
        stdin: new Blob([make().cert]),
        stdout: 'pipe',
        stderr: 'pipe',
      },
    );
    expect(await openssl.exited).toBe(0);
  });
});
