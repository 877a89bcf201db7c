import { join } from 'node:path';
import { locatePeer } from '../../scripts/peers.ts';

export interface TestCertificate {
  /** PEM files. */
  readonly cert: string;
  readonly key: string;
}

/** A certificate for these names that vouches for itself, made by openssl in a directory. */
export async function makeCertificate(directory: string, names: readonly string[]): Promise<TestCertificate> {
  const openssl = locatePeer('openssl');
  if (openssl === undefined) throw new Error('openssl is missing: apt-get install openssl');
  const [cert, key] = [join(directory, 'test.pem'), join(directory, 'test.key')];
  const alternatives = names.map((name) => `DNS:${name}`).join(',');
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'.split(' ');
  const subject = ['-subj', '/CN=Postern test', '-addext', `subjectAltName=${alternatives}`];
  const command = [openssl, ...request, ...subject, '-keyout', key, '-out', cert];
  const made = Bun.spawn(command, { stdio: ['ignore', 'ignore', 'pipe'] });
  const errors = await new Response(made.stderr).text();
  if ((await made.exited) !== 0) throw new Error(`openssl failed: ${errors}`);
  return { cert, key };
}
