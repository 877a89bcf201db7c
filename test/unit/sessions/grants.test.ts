import { describe, expect, test } from 'bun:test';
import { users } from '../../../src/db/schema/index.ts';
import { AppError } from '../../../src/lib/app-error.ts';
import { keyRing } from '../../../src/lib/key-ring.ts';
import { resourceAudience } from '../../../src/sessions/audience.ts';
import { hashToken, tokenMint } from '../../../src/sessions/token.ts';
import { temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { refusalOf } from '../../support/refusal.ts';

const RESOURCE = resourceAudience('https://auth.example.test/mcp/files');
const DAY = 86_400_000;

const begin = async () => {
  const clock = new ManualClock();
  const base = temporaryLedger({ clock });
  const { ledger, db } = base;
  const userId = await base.addUser();
  const browser = await base.signIn(userId);
  const open = () =>
    db.write((tx) =>
      ledger.openGrant(tx, {
        issuedBy: browser.session.id,
        clientId: 'client',
        label: 'Client',
        audience: RESOURCE,
        scope: 'mcp:files',
        origin: browser.session.origin,
      }),
    );
  const refresh = (token: string) => db.write((tx) => ledger.refreshGrant(tx, token, () => undefined));
  return {
    base,
    clock,
    ledger,
    db,
    userId,
    browser,
    open,
    refresh,
    [Symbol.asyncDispose]: () => base[Symbol.asyncDispose](),
  };
};

describe('a grant', () => {
  test('has an access token for its one resource, and a refresh token that opens nothing', async () => {
    await using t = await begin();
    const { tokens, session } = await t.open();
    expect(session).toMatchObject({
      kind: 'grant',
      clientId: 'client',
      scope: 'mcp:files',
      parentId: undefined,
    });
    expect(await t.ledger.authenticate(tokens.access, 'access', RESOURCE)).toMatchObject({
      ok: true,
      session: { id: session.id },
    });
    for (const use of ['cookie', 'personal', 'refresh'] as const) {
      expect(await t.ledger.authenticate(tokens.access, use, RESOURCE)).toMatchObject({ ok: false });
    }
    expect(await t.ledger.authenticate(tokens.refresh, 'access', RESOURCE)).toMatchObject({ ok: false });
  });

  test('is made by a live browser session alone', async () => {
    await using t = await begin();
    await t.ledger.end(t.browser.session.id, { reason: 'signed_out' });
    expect(await refusalOf(t.open())).toMatchObject({ code: 'session_ended' });
  });

  test('has access tokens of an hour, and ends unused after thirty days', async () => {
    await using t = await begin();
    const { tokens } = await t.open();
    await t.clock.advance(3_600_000);
    expect(await t.ledger.authenticate(tokens.access, 'access', RESOURCE)).toMatchObject({
      reason: 'expired',
    });
    await t.clock.advance(30 * DAY);
    expect(await t.refresh(tokens.refresh)).toEqual({ kind: 'ended' });
  });
});

describe('a refresh', () => {
  test('that its caller refuses changes nothing', async () => {
    await using t = await begin();
    const { tokens } = await t.open();
    const refusing = t.db.write((tx) =>
      t.ledger.refreshGrant(tx, tokens.refresh, () => {
        throw new AppError('bad_request', 'invalid_grant', 'no');
      }),
    );
    expect(await refusalOf(refusing)).toMatchObject({ code: 'invalid_grant' });
    expect(await t.refresh(tokens.refresh)).toMatchObject({ kind: 'refreshed' });
  });

  test('of a person who is disabled gives nothing', async () => {
    await using t = await begin();
    const { tokens } = await t.open();
    await t.db.write((tx) => tx.update(users).set({ status: 'disabled' }).run());
    expect(await t.refresh(tokens.refresh)).toEqual({ kind: 'ended' });
  });

  test('with what is no refresh token gives nothing', async () => {
    await using t = await begin();
    const { tokens } = await t.open();
    for (const token of ['', 'pstr_x', tokens.access, t.browser.token]) {
      expect(await t.refresh(token)).toEqual({ kind: 'unknown' });
    }
  });

  test('keeps the session, and the old access token until it runs out', async () => {
    await using t = await begin();
    const { tokens, session } = await t.open();
    const refreshed = await t.refresh(tokens.refresh);
    expect(refreshed).toMatchObject({ kind: 'refreshed', session: { id: session.id } });
    expect(await t.ledger.authenticate(tokens.access, 'access', RESOURCE)).toMatchObject({ ok: true });
  });

  test('is repeated after the keys have changed', async () => {
    const [before, after] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const old = tokenMint(keyRing([before]));
    const token = old.mint('refresh');
    const next = old.derivations[0]('refresh', token);
    const mint = tokenMint(keyRing([after, before]));
    expect(mint.isGenuine(next)).toBe(true);
    expect(mint.derivations.map((derive) => derive('refresh', token))).toContain(next);
    expect(mint.derivations[0]('refresh', token)).not.toBe(next);
  });

  test('derives tokens that differ by use, by what they follow, and look like any other', () => {
    const mint = tokenMint(keyRing([new Uint8Array(32).fill(3)]));
    const [derive] = mint.derivations;
    const [one, other] = [mint.mint('refresh'), mint.mint('refresh')];
    const made = [
      derive('refresh', one),
      derive('access', one),
      derive('refresh', other),
      derive('access', other),
    ];
    expect(new Set(made.map((token) => token.slice(5))).size).toBe(4);
    expect(new Set(made.map(hashToken)).size).toBe(4);
    expect(made.every((token) => mint.isGenuine(token) && token.length === one.length)).toBe(true);
  });
});
