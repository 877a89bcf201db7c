import { join } from 'node:path';
import { contentDigest } from '../src/signatures/content-digest.ts';
import { deviceKey } from '../src/signatures/ed25519-key.ts';
import { signPairing } from '../src/signatures/pairing-proof.ts';
import { signRequestOnce } from '../src/signatures/sign-request.ts';
import { requestComponents, signatureBase } from '../src/signatures/signature-base.ts';

/** Writes docs/signature-vectors.json: `bun scripts/signature-vectors.ts`. A test holds the file against this. */

const key = deviceKey(Uint8Array.from({ length: 32 }, (_, index) => index));
const SESSION = 'ses_abcdefghijklmnopqrstuvwxyz';
const CREATED = 1_800_000_000;

const REQUESTS = [
  { method: 'GET', url: 'https://auth.home.example/api/v1/device', nonce: 'AAAAAAAAAAAAAAAAAAAAAA' },
  {
    method: 'GET',
    url: 'https://auth.home.example:8443/api/v1/device/deliveries?limit=10&after=%C3%BC',
    nonce: 'BBBBBBBBBBBBBBBBBBBBBB',
  },
  {
    method: 'POST',
    url: 'http://localhost:7400/api/v1/device/deliveries/dlv_abcdefghijklmnopqrstuvwxyz/receipt',
    body: '{"outcome":"done"}',
    nonce: 'CCCCCCCCCCCCCCCCCCCCCC',
  },
  { method: 'DELETE', url: 'https://auth.home.example/api/v1/device?', nonce: 'DDDDDDDDDDDDDDDDDDDDDD' },
];

const PAIRINGS = [
  { origin: 'https://auth.home.example', presented: 'ABCD-EFGH', nonce: 'EEEEEEEEEEEEEEEEEEEEEE' },
  { origin: 'http://localhost:7400', presented: 'abcdefgh', nonce: 'FFFFFFFFFFFFFFFFFFFFFF' },
];

/** Everything that another implementation needs to check itself. */
export function signatureVectors() {
  return {
    seed: Buffer.from(key.seed).toString('hex'),
    public_key: key.publicKey,
    requests: REQUESTS.map(requestVector),
    pairings: PAIRINGS.map((pairing) => {
      const claim = { ...pairing, created: CREATED };
      const { origin, presented, created, nonce } = claim;
      return {
        ...claim,
        text: ['postern-pair-v1', origin, presented, created, nonce].join('\n'),
        proof: signPairing(key, claim),
      };
    }),
    refused_keys: {
      identity: 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
      order_two: '7P_______________________________________38',
      order_four: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
      order_eight: 'JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU',
      not_reduced: '7f_______________________________________38',
      short: 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    },
  };
}

function requestVector({ method, url, nonce, body }: (typeof REQUESTS)[number]) {
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const signer = { key, sessionId: SESSION, now: CREATED * 1_000 };
  const request = { method, url: new URL(url), ...(bytes === undefined ? {} : { body: bytes }) };
  const fields = signRequestOnce(request, signer, nonce);
  const params = fields['signature-input'].slice('sig='.length);
  const digest = bytes === undefined ? undefined : contentDigest(bytes);
  const target = { method, authority: request.url.host, url };
  return {
    method,
    url,
    ...(body === undefined ? {} : { body }),
    created: CREATED,
    nonce,
    keyid: SESSION,
    signature_base: signatureBase(requestComponents(target, digest), params),
    fields,
  };
}

if (import.meta.main) {
  const path = join(import.meta.dir, '../docs/signature-vectors.json');
  await Bun.write(path, `${JSON.stringify(signatureVectors(), null, 2)}\n`);
}
