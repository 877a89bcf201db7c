import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { type Appliance, type AppliancePorts, binary, startAppliance } from '../support/appliance.ts';
import { makeCertificate } from '../support/certificate.ts';
import { temporaryDirectory } from '../support/database.ts';
import { startProgram } from '../support/program.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);

/** An appliance with a certificate that only the device's owner believes. */
const directory = temporaryDirectory();
let appliance: Appliance;
let ca: string;
beforeAll(async () => {
  const { cert, key } = await makeCertificate(directory.path, ['localhost']);
  ca = cert;
  const toml = ({ port, metricsPort }: AppliancePorts) => `url = "https://localhost:${port}"
listen = "127.0.0.1:${port}"
metrics_listen = "127.0.0.1:${metricsPort}"
tls = { cert = "${cert}", key = "${key}" }
`;
  appliance = await startAppliance({ toml });
  expect((await appliance.run('user', 'create', 'ada')).exitCode).toBe(0);
});
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]();
  directory[Symbol.dispose]();
});

const agent = (...args: string[]) =>
  startProgram([binary(), 'agent', ...args], directory.path, { PATH: process.env['PATH'] ?? '' });

async function newLink(): Promise<string> {
  const { out } = await appliance.run('device', 'pair', 'ada');
  const [link = ''] = /https:\S+\/pair#\S+/.exec(out) ?? [];
  return link;
}

test('an agent that believes the certificate joins and connects over TLS', async () => {
  const joined = await agent('--join', await newLink(), '--name', 'Believer', '--ca', ca).finished;
  expect(joined).toMatchObject({ exitCode: 0, err: '' });
  await using running = agent('--ca', ca);
  await running.printed('connected');
  const { out } = await agent('status', '--json').finished;
  expect(JSON.parse(out)).toMatchObject({ phase: 'connected', handle: 'believer' });
  await appliance.restart();
  await until('it is back', async () => (await agent('status').finished).exitCode === 0);
});

test('an agent that does not believe it neither joins nor connects, and says why', async () => {
  const dir = ['--dir', 'doubter'];
  const joined = await agent(...dir, '--join', await newLink(), '--name', 'Doubter', '--ca', ca).finished;
  expect(joined.exitCode).toBe(0);
  await using running = agent(...dir);
  await running.printed('not connected');
  expect(running.err()).toContain('SELF_SIGNED_CERT');
  expect(running.err()).not.toContain('"connected"');

  await using other = agent('--dir', 'stranger', '--join', await newLink());
  await other.printed('SELF_SIGNED_CERT');
  expect(other.err()).toContain('trying again');
});
