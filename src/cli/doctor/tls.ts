import type { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '../../config/schema.ts';
import { checkMaterial } from '../../http/tls-source.ts';
import { systemClock } from '../../lib/clock.ts';
import { type Check, type Finding, findingsAbout } from './finding.ts';

const SOON_MS = 14 * 24 * 60 * 60_000;

/** Whether the certificate and its key go together, are for our name, and last. */
export const checkTls: Check = ({ config }) => {
  const { ok, fail } = findingsAbout('tls');
  if (config.tls === undefined) return [ok('off')];
  if (config.tls === 'self-signed') return [ok('self-signed')];
  try {
    const { cert, key } = config.tls;
    const material = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
    return certificateFindings(checkMaterial(material), config);
  } catch (error) {
    return [fail(error instanceof Error ? error.message : String(error))];
  }
};

function certificateFindings(certificate: X509Certificate, { url }: Config): Finding[] {
  const { ok, warn, fail } = findingsAbout('tls');
  const left = Date.parse(certificate.validTo) - systemClock.now();
  const name = new URL(url).hostname.replaceAll(/^\[|\]$/g, '');
  if (left <= 0) return [fail(`the certificate ran out: ${certificate.validTo}`)];
  const isOurs = (certificate.checkHost(name) ?? certificate.checkIP(name)) !== undefined;
  if (!isOurs) return [fail(`the certificate is not for ${name}`)];
  const until = `the certificate is good until ${certificate.validTo}`;
  return [left < SOON_MS ? warn(until) : ok(until)];
}
