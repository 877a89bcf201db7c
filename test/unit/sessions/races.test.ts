import { afterAll, describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { AppError } from '../../../src/lib/app-error.ts';
import { hostAudience, originAudience, scopeAudience } from '../../../src/sessions/audience.ts';
import type { Authentication, Issued } from '../../../src/sessions/ledger.ts';
import type { Audience, CredentialUse } from '../../../src/sessions/model.ts';
import type { UserId } from '../../../src/users/model.ts';
import { heldReader } from '../../support/held-reader.ts';
import { TEST_ORIGIN, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';

const ORIGIN = originAudience(TEST_ORIGIN);
const HOST = 'app.home';
const FROM = { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined };
const HOUR = 3_600_000;
const IDLE = 24 * HOUR;
/** How far a last use may be behind in memory and store. */
const SLACK = 5 * 60_000;

const outage = () => new AppError('unavailable', 'store_unavailable', 'Away.');
const isOutage = (error: unknown) => error instanceof AppError && error.kind === 'unavailable';

const held = heldReader(outage);
const clock = new ManualClock();
const t = temporaryLedger({ clock, credentials: held.reader, sessions: { cache_size: 2 } });
afterAll(() => t[Symbol.asyncDispose]());

type Name = 'mine' | 'child' | 'other' | 'token';
const NAMES: readonly Name[] = ['mine', 'child', 'other', 'token'];

const shape: Record<Name, [CredentialUse, Audience]> = {
  mine: ['cookie', ORIGIN],
  child: ['cookie', hostAudience(HOST)],
  other: ['cookie', ORIGIN],
  token: ['personal', scopeAudience('sessions:read')],
};

const openChild = (parent: Issued) =>
  t.db.write((tx) =>
    t.ledger.openChildSession(tx, { parentId: parent.session.id, host: HOST, origin: FROM }),
  );
const openToken = (issuer: Issued) =>
  t.db.write((tx) =>
    t.ledger.openPersonalToken(tx, {
      issuedBy: issuer.session.id,
      label: 'backup',
      audience: [scopeAudience('sessions:read')],
      expiresAt: clock.now() + 1_000 * IDLE,
      origin: FROM,
    }),
  );

const setReadOnly = (on: boolean) => t.db.reader.$client.run(`PRAGMA query_only = ${on ? 'ON' : 'OFF'}`);

/** One person's sessions, and what is known to be true of them. */
class History {
  readonly #issued: Record<Name, Issued>;
  readonly #userId: UserId;
  readonly #ended = new Set<Name>();
  readonly #lastUse: Record<Name, number>;
  readonly #asked: Promise<void>[] = [];
  #failure: unknown;

  private constructor(userId: UserId, issued: Record<Name, Issued>) {
    this.#userId = userId;
    this.#issued = issued;
    const now = clock.now();
    this.#lastUse = { mine: now, child: now, other: now, token: now };
  }

  static async begin(): Promise<History> {
    const userId = await t.addUser();
    const [mine, other] = await Promise.all([t.signIn(userId), t.signIn(userId)]);
    const [child, token] = await Promise.all([openChild(mine), openToken(mine)]);
    return new History(userId, { mine, other, child, token });
  }

  ask(name: Name): void {
    const wasEnded = this.#ended.has(name);
    const [use, audience] = shape[name];
    const { token } = this.#issued[name];
    const answered = Promise.resolve(t.ledger.authenticate(token, use, audience)).then(
      (answer) => this.#judge(name, answer, wasEnded),
      (error: unknown) => {
        if (!isOutage(error)) this.#failure ??= error;
      },
    );
    this.#asked.push(answered);
  }

  #judge(name: Name, answer: Authentication, wasEnded: boolean): void {
    try {
      if (wasEnded || this.#ended.has(name)) return expect(answer.ok).toBe(false);
      const age = clock.now() - this.#lastUse[name];
      if (name !== 'token' && age >= IDLE) expect(answer).toEqual({ ok: false, reason: 'expired' });
      if (age < IDLE - SLACK) expect(answer).toMatchObject({ ok: true });
      if (!answer.ok) return;
      this.#lastUse[name] = clock.now();
      if (name === 'child') this.#lastUse.mine = clock.now();
    } catch (error) {
      this.#failure ??= error;
    }
  }

  async end(name: Name): Promise<void> {
    const ending = t.ledger.end(this.#issued[name].session.id, { reason: 'signed_out' });
    // Over when it is committed, and when it could not be.
    await ending.catch((error: unknown) => expect(isOutage(error)).toBe(true));
    this.#ended.add(name);
    if (name === 'mine') this.#ended.add('child');
  }

  async endAll(except: 'mine' | undefined): Promise<void> {
    const spared = except === undefined ? undefined : this.#issued[except].session.id;
    const ending = t.ledger.endAll(this.#userId, { reason: 'everywhere', except: spared });
    await ending.catch((error: unknown) => expect(isOutage(error)).toBe(true));
    for (const name of NAMES) {
      if (except === undefined || (name !== 'mine' && name !== 'child')) this.#ended.add(name);
    }
  }

  /** A child that is asked for while its parent ends is never left behind. */
  async endWhileIssuing(isChildFirst: boolean): Promise<void> {
    const steps = [() => openChild(this.#issued.mine), () => this.end('mine')];
    const [one, two] = isChildFirst ? steps : steps.toReversed();
    const [first, second] = [one?.(), two?.()];
    const results = await Promise.allSettled([first, second]);
    for (const result of results) {
      if (result.status === 'fulfilled' && result.value !== undefined) this.#issued.child = result.value;
    }
  }

  async userChanged(): Promise<void> {
    const changing = t.db.write((tx) => t.ledger.userChanged(tx, this.#userId));
    await changing.catch((error: unknown) => expect(isOutage(error)).toBe(true));
  }

  async check(): Promise<void> {
    await settle();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** When all is quiet and written, what ended is over and the rest is there. */
  async finish(): Promise<void> {
    setReadOnly(false);
    await t.ledger.flush();
    for (const name of NAMES) this.ask(name);
    for (let rounds = 0; rounds < 20; rounds++) {
      while (held.open > 0) held.answer(0, 'stale');
      await settle(2);
    }
    await Promise.all(this.#asked);
    await this.check();
    const listed = new Set((await t.ledger.list(this.#userId)).map(({ id }) => id));
    for (const name of this.#ended) expect(listed.has(this.#issued[name].session.id)).toBe(false);
  }
}

const name = fc.constantFrom(...NAMES);
const nth = fc.nat({ max: 4 });
type Step = (history: History) => unknown;
const step: fc.Arbitrary<[string, Step]> = fc.oneof(
  { weight: 9, arbitrary: name.map((who): [string, Step] => [`ask ${who}`, (h) => h.ask(who)]) },
  {
    weight: 9,
    arbitrary: fc
      .tuple(nth, fc.constantFrom('stale', 'stale', 'fresh', 'outage'))
      .map(([which, how]): [string, Step] => [`answer ${which} ${how}`, () => held.answer(which, how)]),
  },
  { weight: 2, arbitrary: name.map((who): [string, Step] => [`end ${who}`, (h) => h.end(who)]) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('mine', undefined)
      .map((except): [string, Step] => [`end all but ${except}`, (h) => h.endAll(except)]),
  },
  {
    weight: 1,
    arbitrary: fc
      .boolean()
      .map((first): [string, Step] => [`issue ${first}`, (h) => h.endWhileIssuing(first)]),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom<[string, Step]>(
      ['user changed', (h) => h.userChanged()],
      ['flush', () => t.ledger.flush().catch((error: unknown) => expect(isOutage(error)).toBe(true))],
      ['read only', () => setReadOnly(true)],
      ['writable', () => setReadOnly(false)],
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(1, 1_000, HOUR, 11 * HOUR, IDLE)
      .map((ms): [string, Step] => [`wait ${ms}`, () => clock.advance(ms)]),
  },
);
const steps = fc
  .array(step, { minLength: 10, maxLength: 40 })
  .map((list) => Object.assign(list, { toString: () => list.map(([what]) => what).join(', ') }));

test('whatever happens while look-ups take their time, what ended is never let in, and what lives is', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      setReadOnly(false);
      const history = await History.begin();
      for (const [, run] of list) {
        await run(history);
        await history.check();
      }
      await history.finish();
    }),
    { numRuns: 120 },
  );
}, 20_000);

describe('an end that cannot be written', () => {
  test('is refused here at once, also to a look-up on its way, and made up for', async () => {
    const user = await t.addUser();
    const { session, token } = await t.signIn(user);
    const asked = t.ledger.authenticate(token, 'cookie', ORIGIN);
    setReadOnly(true);
    await t.ledger.end(session.id, { reason: 'provider_logout' }).catch(() => undefined);
    held.answer(0, 'stale');
    expect(await asked).toEqual({ ok: false, reason: 'revoked' });
    setReadOnly(false);
    await t.ledger.flush();
    expect(await t.ledger.find(session.id)).toMatchObject({
      status: 'revoked',
      revokeReason: 'provider_logout',
    });
  });
});

describe('a last use', () => {
  /** Asks, and answers the look-up where there is one. */
  const ask = async (issued: Issued, what: Name) => {
    const [use, audience] = shape[what];
    const answer = t.ledger.authenticate(issued.token, use, audience);
    held.answer(0, 'stale');
    return answer;
  };

  test('that is not written yet counts, also when the session has left the cache', async () => {
    const user = await t.addUser();
    const mine = await t.signIn(user);
    await clock.advance(IDLE - HOUR);
    await ask(mine, 'mine');
    for (let other = 0; other < 3; other++) await ask(await t.signIn(user), 'mine');
    await clock.advance(2 * HOUR);
    expect(await ask(mine, 'mine')).toMatchObject({ ok: true });
  });

  test('that is written while a look-up is on its way counts for that too', async () => {
    const mine = await t.signIn(await t.addUser());
    const child = await openChild(mine);
    await clock.advance(IDLE - HOUR);
    await ask(child, 'child');
    await clock.advance(2 * HOUR);
    const asked = t.ledger.authenticate(mine.token, 'cookie', ORIGIN);
    await t.ledger.flush();
    held.answer(0, 'stale');
    await settle(2);
    held.answer(0, 'stale');
    expect(await asked).toMatchObject({ ok: true });
  });

  test('that another process wrote is read before a session is refused as run out', async () => {
    const mine = await t.signIn(await t.addUser());
    await clock.advance(IDLE - 60_000);
    // In the cache, and not a use.
    expect(await ask(mine, 'child')).toMatchObject({ ok: false });
    await clock.advance(60_000);
    t.db.reader.$client
      .query('UPDATE sessions SET last_seen_at_ms = ? WHERE id = ?')
      .run(clock.now() - HOUR, mine.session.id);
    expect(await ask(mine, 'mine')).toMatchObject({ ok: true });
    await clock.advance(IDLE);
    expect(await ask(mine, 'mine')).toEqual({ ok: false, reason: 'expired' });
  });

  test('of a child is one of its parent', async () => {
    const mine = await t.signIn(await t.addUser());
    const child = await openChild(mine);
    await clock.advance(IDLE - HOUR);
    expect(await ask(child, 'child')).toMatchObject({ ok: true });
    await clock.advance(2 * HOUR);
    expect(await ask(mine, 'mine')).toMatchObject({ ok: true });
  });
});
