import { expect, setDefaultTimeout, test } from 'bun:test';
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { type Appliance, type AppliancePorts, startAppliance } from '../support/appliance.ts';
import { PASSWORD } from '../support/loopback-site.ts';

setDefaultTimeout(60_000);

const HOST = 'auth.localhost';

const toml = ({ port, metricsPort }: AppliancePorts) => `url = "https://${HOST}:${port}"
listen = "127.0.0.1:${port}"
metrics_listen = "127.0.0.1:${metricsPort}"
tls = "self-signed"
`;

const certificateFile = ({ dataDir }: Appliance) => join(dataDir, 'tls-self-signed.pem');

/** The fingerprint of what it serves, as somebody meets it who trusts nothing yet. */
function servedFingerprint({ port }: Appliance): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: HOST, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

test('a headless machine serves https by itself, with the fingerprint that it printed', async () => {
  await using appliance = await startAppliance({ toml });
  const ca = readFileSync(certificateFile(appliance), 'utf8');
  expect(statSync(certificateFile(appliance)).mode & 0o777).toBe(0o600);
  const { fingerprint256 } = new X509Certificate(ca);
  expect(await servedFingerprint(appliance)).toBe(fingerprint256);
  expect(appliance.process.out()).toContain(`certificate: SHA-256 ${fingerprint256}\n`);

  const origin = `https://${HOST}:${appliance.port}`;
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(origin + path, { ...init, redirect: 'manual', tls: { ca } });
  const link = readFileSync(join(appliance.dataDir, 'setup-link'), 'utf8').trim();
  const body = new URLSearchParams({
    link,
    via: 'password',
    username: 'owner',
    new_password: PASSWORD,
    new_password_again: PASSWORD,
  });
  const made = await ask('/setup', { method: 'POST', headers: { origin }, body });
  const [cookie = ''] = made.headers.getSetCookie().filter((each) => each.startsWith('__Host-postern='));
  expect(cookie).toMatch(/; Secure(?:;|$)/);
  const [pair = ''] = cookie.split(';');
  expect((await ask('/api/v1/session', { headers: { cookie: pair } })).status).toBe(200);

  await appliance.restart('SIGKILL');
  expect(await servedFingerprint(appliance)).toBe(fingerprint256);
  expect((await ask('/api/v1/session', { headers: { cookie: pair } })).status).toBe(200);
  expect(await appliance.run('healthcheck')).toMatchObject({ exitCode: 0 });
  const secrets = [
    link.split('#')[1] ?? '',
    pair.split('=')[1] ?? '',
    PASSWORD,
    ...ca.split('\n').slice(-6, -2),
  ];
  for (const secret of secrets) expect(appliance.printed()).not.toContain(secret);
});
