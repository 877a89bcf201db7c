import { createPublicKey, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newDeviceKey } from '../src/signatures/ed25519-key.ts';
import { signRequest } from '../src/signatures/sign-request.ts';
import { requestComponents, signatureBase } from '../src/signatures/signature-base.ts';
import { temporaryDeviceGuard } from '../test/support/device-guard.ts';
import { until } from '../test/support/until.ts';
import { benchDirectory } from './support/directory.ts';
import type { Benchmark, Figures } from './support/figures.ts';
import { lua, REPORT, runScript } from './support/load.ts';
import { buildPostern, startPostern } from './support/postern.ts';
import { interleave, operationsPerSecond } from './support/rounds.ts';
import { APPLIANCE_ORIGIN } from './support/seed.ts';
import { type SeededDevice, seedDevices } from './support/seed-devices.ts';
import { median } from './support/statistics.ts';

const ROUNDS = 5;
const SECONDS = 2;
const IN_FLIGHT = 64;
const DEVICES = 64;
/** Signatures verified in one go; each once, as they would be refused the second time. */
const BATCH = 4_000;
const BARE_MS = 500;
/** More than are sent in `SECONDS`, over what one thread verifies bare in that time. */
const SIGNED_AHEAD = 3;

const PATH = '/api/v1/device';

async function signatureFigures(progress: (line: string) => void): Promise<Figures> {
  using directory = benchDirectory();
  await using servers = new AsyncDisposableStack();
  progress('building dist/postern');
  await buildPostern();
  const dataDir = join(directory.path, 'data');
  const devices = await seedDevices(dataDir, DEVICES);
  const server = servers.use(await startPostern(dataDir));
  await untilServed(server.origin, devices);
  const whole = servers.use(await wholeVerification());
  const bare = bareVerification();
  let bareRate = bare();
  const signed = async () => {
    const count = Math.ceil(bareRate * SECONDS * SIGNED_AHEAD);
    const file = signAhead(devices, count, directory.path);
    const load = {
      origin: server.origin,
      seconds: SECONDS,
      connections: IN_FLIGHT,
      directory: directory.path,
    };
    return (await runScript(load, sending(file, count))).requestsPerSecond;
  };
  progress(`${ROUNDS} rounds: bare and whole verifications, and signed requests with ${IN_FLIGHT} in flight`);
  const rounds = await interleave(
    { bare: () => (bareRate = bare()), whole: () => whole.measure(), signed, bareAfter: bare },
    ROUNDS,
  );
  // The machine is shared: each is held against what was measured right before and after it.
  return {
    verify_of_bare: {
      value: median(rounds.map((each) => each.whole / each.bare)),
      target: { atLeast: 0.7 },
      meaning: 'whole verifications of a request over bare Ed25519 verifications, one thread',
    },
    signed_of_bare: {
      value: median(rounds.map((each) => (2 * each.signed) / (each.bare + each.bareAfter))),
      target: { atLeast: 0.5 },
      meaning: 'signed requests/s over HTTP, signed ahead and sent by another process, over the same',
    },
    signed_per_second: {
      value: Math.round(median(rounds.map((each) => each.signed))),
      meaning: `on this machine: GET ${PATH} of ${DEVICES} devices, ${IN_FLIGHT} in flight`,
    },
    verify_per_second: {
      value: Math.round(median(rounds.map((each) => each.whole))),
      meaning: 'on this machine: fields, session, signature, nonce',
    },
    bare_per_second: {
      value: Math.round(median(rounds.map((each) => each.bare))),
      meaning: 'on this machine: node:crypto, one key, a text of the same length',
    },
  };
}

/** The guard of the appliance over a ledger of its own, for requests without a body. */
async function wholeVerification() {
  const site = temporaryDeviceGuard();
  const device = await site.pair();
  return {
    async measure(): Promise<number> {
      const requests = Array.from({ length: BATCH }, () => {
        const { now, origin, ...signer } = site.signing(device);
        const url = new URL(PATH, origin);
        const fields = signRequest({ method: 'GET', url }, { ...signer, now });
        return new Request(url.href, { headers: { host: url.host, ...fields } });
      });
      const startedAt = performance.now();
      for (const request of requests) {
        // Throws, or rejects, for one that is refused.
        const taken = site.open.guard.signedDevice(request);
        if (taken instanceof Promise) await taken;
        // Those that come in one turn would be verified on another thread.
        await new Promise((resolve) => setImmediate(resolve));
      }
      const rate = BATCH / ((performance.now() - startedAt) / 1_000);
      await site.clock.advance(1_000);
      return rate;
    },
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
}

/** One signature, verified over and over. */
function bareVerification(): () => number {
  const key = { key: newDeviceKey(), sessionId: `ses_${'a'.repeat(26)}` };
  const url = new URL(PATH, APPLIANCE_ORIGIN);
  const fields = signRequest({ method: 'GET', url }, { ...key, now: Date.now() });
  const params = fields['signature-input'].slice('sig='.length);
  const target = { method: 'GET', authority: url.host, url: url.href };
  const data = Buffer.from(signatureBase(requestComponents(target, undefined), params));
  const signature = Buffer.from(fields.signature.slice('sig=:'.length, -1), 'base64');
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: key.key.publicKey };
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  if (!verify(null, data, publicKey, signature)) throw new Error('the bare signature does not hold');
  return () =>
    operationsPerSecond(100, BARE_MS, () => {
      for (let each = 0; each < 100; each++) verify(null, data, publicKey, signature);
    });
}

/** Signs so many requests and writes the two fields of each into a line. */
function signAhead(devices: readonly SeededDevice[], count: number, directory: string): string {
  const url = new URL(PATH, APPLIANCE_ORIGIN);
  const now = Date.now();
  const lines: string[] = [];
  while (lines.length < count) {
    for (const { key, sessionId } of devices) {
      const fields = signRequest({ method: 'GET', url }, { key, sessionId, now });
      lines.push(`Signature-Input: ${fields['signature-input']}\tSignature: ${fields.signature}`);
    }
  }
  const file = join(directory, 'signed');
  writeFileSync(file, `${lines.slice(0, count).join('\n')}\n`);
  return file;
}

/** A signature from the second in which the server started may be one from before it. */
async function untilServed(origin: string, [device]: readonly SeededDevice[]): Promise<void> {
  const url = new URL(PATH, APPLIANCE_ORIGIN);
  if (device === undefined) throw new Error('there is no device');
  await until('a signed request is taken', async () => {
    const fields = signRequest({ method: 'GET', url }, { ...device, now: Date.now() });
    const { ok } = await fetch(`${origin}${PATH}`, { headers: { host: url.host, ...fields } });
    return ok;
  });
}

/** Each line is sent once. */
function sending(file: string, count: number): string {
  const head = `GET ${PATH} HTTP/1.1\r\nHost: ${new URL(APPLIANCE_ORIGIN).host}\r\n`;
  return `
local beginning = ${lua(head)}
local ending = ${lua('\r\n\r\n')}
local lines, line = {}, 0
function init()
  for text in io.lines(${lua(file)}) do
    lines[#lines + 1] = beginning .. text:gsub('\\t', '\\r\\n') .. ending
  end
end
function request()
  line = line + 1
  if line > ${count} then error('too few requests were signed ahead') end
  return lines[line]
end
${REPORT}`;
}

export const benchmark: Benchmark = {
  title: 'requests that devices signed, against bare verifications of Ed25519',
  run: signatureFigures,
};
