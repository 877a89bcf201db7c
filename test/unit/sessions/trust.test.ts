import { describe, expect, test } from 'bun:test';
import { AppError } from '../../../src/lib/app-error.ts';
import { originAudience } from '../../../src/sessions/audience.ts';
import type { Elsewhere } from '../../../src/sessions/elsewhere.ts';
import type { SharedWith } from '../../../src/sessions/open-ledger.ts';
import { heldReader } from '../../support/held-reader.ts';
import { TEST_ORIGIN, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';

const AUDIENCE = originAudience(TEST_ORIGIN);
const outage = () => new AppError('unavailable', 'store_unavailable', 'Away.');

/** A ledger that believes what is in memory as long as the test says, and whose look-ups wait for the test. */
function open(consistency: SharedWith['consistency']) {
  const clock = new ManualClock();
  const held = heldReader(outage);
  const trust = { until: Infinity };
  const elsewhere: Elsewhere = {
    carrier: { carry: () => undefined },
    trust,
    announce: () => undefined,
    sweep: async () => undefined,
    ready: Promise.resolve(),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const t = temporaryLedger({
    clock,
    credentials: held.reader,
    elsewhere: { open: () => elsewhere, consistency },
  });
  const ask = async (token: string) => await t.ledger.authenticate(token, 'cookie', AUDIENCE);
  return { t, clock, held, trust, ask, [Symbol.asyncDispose]: () => t[Symbol.asyncDispose]() };
}

/** Somebody who is in memory. */
async function known(at: ReturnType<typeof open>) {
  const issued = await at.t.signIn(await at.t.addUser());
  const asked = at.ask(issued.token);
  at.held.answer(0, 'fresh');
  expect(await asked).toMatchObject({ ok: true });
  return issued;
}

describe.each(['strict', 'best_effort'] as const)('what is in memory, %s', (consistency) => {
  test('answers as long as it is believed, and the store from the instant on at which it is not', async () => {
    await using at = open(consistency);
    const { token } = await known(at);
    at.trust.until = at.clock.monotonicNow() + 10;
    expect(await at.ask(token)).toMatchObject({ ok: true });
    await at.clock.advance(9);
    expect(await at.ask(token)).toMatchObject({ ok: true });
    expect(at.held.open).toBe(0);
    await at.clock.advance(1);
    const asked = at.ask(token);
    expect(at.held.open).toBe(1);
    at.held.answer(0, 'fresh');
    expect(await asked).toMatchObject({ ok: true });
    const again = at.ask(token);
    expect(at.held.open).toBe(1);
    at.held.answer(0, 'fresh');
    await again;
  });

  test('gives way to what the store says', async () => {
    await using at = open(consistency);
    const { token, session } = await known(at);
    at.trust.until = -Infinity;
    // Ended where nobody told this process.
    at.t.db.reader.run(`UPDATE sessions SET status = 'revoked' WHERE id = '${session.id}'`);
    const asked = at.ask(token);
    at.held.answer(0, 'fresh');
    expect(await asked).toEqual({ ok: false, reason: 'revoked' });
  });

  test('refuses what it knows to be over without asking', async () => {
    await using at = open(consistency);
    const { token, session } = await known(at);
    await at.t.ledger.end(session.id, { reason: 'signed_out' });
    at.trust.until = -Infinity;
    expect(await at.ask(token)).toEqual({ ok: false, reason: 'revoked' });
    expect(at.held.open).toBe(0);
  });
});

describe('where the store does not answer either', () => {
  test('strict refuses', async () => {
    await using at = open('strict');
    const { token } = await known(at);
    at.trust.until = -Infinity;
    const asked = at.ask(token).catch((error: unknown) => error);
    at.held.answer(0, 'outage');
    expect(await asked).toMatchObject({ kind: 'unavailable', code: 'store_unavailable' });
  });

  test('best effort serves what is in memory until its time is over, and nothing else', async () => {
    await using at = open('best_effort');
    const { token } = await known(at);
    const unknown = await at.t.signIn(await at.t.addUser());
    at.trust.until = -Infinity;
    const asked = at.ask(token);
    at.held.answer(0, 'outage');
    expect(await asked).toMatchObject({ ok: true });
    const other = at.ask(unknown.token).catch((error: unknown) => error);
    at.held.answer(0, 'outage');
    expect(await other).toMatchObject({ code: 'store_unavailable' });
    await at.clock.advance(at.t.config.sessions.cache_ttl);
    const late = at.ask(token).catch((error: unknown) => error);
    at.held.answer(0, 'outage');
    expect(await late).toMatchObject({ code: 'store_unavailable' });
  });

  test('best effort refuses what ended here while the store was asked', async () => {
    await using at = open('best_effort');
    const { token, session } = await known(at);
    at.trust.until = -Infinity;
    const asked = at.ask(token);
    await at.t.ledger.end(session.id, { reason: 'signed_out' });
    at.held.answer(0, 'outage');
    expect(await asked).toEqual({ ok: false, reason: 'revoked' });
  });

  test('a device is judged the same way', async () => {
    for (const consistency of ['strict', 'best_effort'] as const) {
      await using at = open(consistency);
      const userId = await at.t.addUser();
      const { session } = await at.t.db.write((tx) =>
        at.t.ledger.openDevice(tx, {
          userId,
          issuedBy: undefined,
          deviceId: 'dev_1',
          clientPublicKey: 'k',
          label: 'x',
          origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
        }),
      );
      const first = at.t.ledger.recogniseDevice(session.id);
      at.held.answer(0, 'fresh');
      expect(await first).toMatchObject({ ok: true });
      at.trust.until = -Infinity;
      const asked = (async () => await at.t.ledger.recogniseDevice(session.id))().catch(
        (error: unknown) => error,
      );
      await settle();
      at.held.answer(0, 'outage');
      expect(await asked).toMatchObject(consistency === 'strict' ? { kind: 'unavailable' } : { ok: true });
    }
  });
});
