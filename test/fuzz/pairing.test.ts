import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { newDeviceKey } from '../../src/signatures/ed25519-key.ts';
import { temporaryApi } from '../support/api.ts';
import { FUZZ_CASES } from '../support/fuzz-cases.ts';
import { makePairing, redeemAt, redemptionOf } from '../support/pairing.ts';

const RUNS = Math.ceil(FUZZ_CASES / 250);
const NO_LIMIT = { devices: { config: { redeems_per_address: 1_000_000, redeems: 1_000_000 } } };

test('no body that a stranger sends is taken, or breaks anything', async () => {
  await using api = temporaryApi(NO_LIMIT);
  const { code, token } = await makePairing(api, await api.signIn());
  const key = newDeviceKey();
  // Sound but for the code, so that nothing that is changed of it can be let in.
  const good = redemptionOf(api, { code: 'ABCD-EFGH' }, key);
  const members = Object.keys({ ...good, token, serial: '', platform: '', chip: '', labels: {} });
  /** One or more members of a good request replaced by something else. */
  const bodies = fc.oneof(
    fc.json(),
    fc
      .dictionary(fc.constantFrom(...members), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 })
      .map((changes) => JSON.stringify({ ...good, nonce: 'AAAAAAAAAAAAAAAAAAAAAA', ...changes })),
    fc
      .tuple(fc.nat(200), fc.string({ unit: 'binary', maxLength: 4 }))
      .map(
        ([at, what]) => `${JSON.stringify(good).slice(0, at)}${what}${JSON.stringify(good).slice(at + 1)}`,
      ),
  );
  await fc.assert(
    fc.asyncProperty(bodies, async (body) => {
      const answer = await redeemAt(api, undefined, {
        body,
        headers: { 'content-type': 'application/json' },
      });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }),
    { numRuns: RUNS },
  );
  expect(api.base.db.reader.all('SELECT id FROM devices')).toEqual([]);
  expect((await redeemAt(api, redemptionOf(api, { code }, key))).status).toBe(201);
}, 120_000);
