import { describe, expect, test } from 'bun:test';
import { examine } from '../../../src/cli/doctor/doctor.ts';
import { noteUnmovedSessions } from '../../../src/cli/serve/unmoved.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { type TemporaryLedger, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const DAY = 86_400_000;

const start = async ({ db, clock, log }: TemporaryLedger, isRedisOn: boolean) => {
  const before = log.lines.length;
  await noteUnmovedSessions({ db, clock, isRedisOn, log });
  return log.lines.slice(before).map(({ message }) => message);
};

const doctorOf = async ({ database }: TemporaryLedger, redis: object) => {
  const config = configSchema.parse({
    data_dir: database.directory,
    listen: '127.0.0.1:0',
    metrics_listen: '127.0.0.1:0',
    redis,
  });
  const findings = await examine({ config, isRunning: false });
  return findings.filter(({ about }) => about === 'sessions').map(({ level, text }) => `${level}: ${text}`);
};

/** Nothing listens there; what is looked for is in the database. */
const SOMEWHERE = { url: 'redis://127.0.0.1:1' };

describe('a start with Redis', () => {
  test('says how many live browser sessions lie in the database, until there are none', async () => {
    const clock = new ManualClock();
    await using t = temporaryLedger({ clock });
    const userId = await t.addUser();
    const { session } = await t.signIn(userId);
    expect(await start(t, true)).toEqual([expect.stringContaining('one browser session is')]);
    await t.signIn(userId);
    expect(await start(t, true)).toEqual([expect.stringMatching(/2 browser sessions.*--to redis/)]);
    await t.ledger.end(session.id, { reason: 'signed_out' });
    expect(await start(t, true)).toEqual([expect.stringContaining('one browser session is')]);
    await clock.advance(DAY);
    expect(await start(t, true)).toEqual([]);
  });

  test('knows nothing of tokens, which stay in the database', async () => {
    await using t = temporaryLedger();
    const { session } = await t.signIn(await t.addUser());
    await t.db.write((tx) =>
      t.ledger.openPersonalToken(tx, {
        issuedBy: session.id,
        label: 'backup',
        audience: [],
        expiresAt: t.clock.now() + DAY,
        origin: session.origin,
      }),
    );
    await t.ledger.end(session.id, { reason: 'signed_out' });
    expect(await start(t, true)).toEqual([]);
  });
});

describe('a start without Redis', () => {
  test('says once that sessions may be left there, if there ever were any', async () => {
    await using t = temporaryLedger();
    await t.signIn(await t.addUser());
    expect(await start(t, false)).toEqual([]);
    await start(t, true);
    expect(await start(t, false)).toEqual([expect.stringMatching(/Redis is off.*--to sqlite/)]);
    expect(await start(t, false)).toEqual([]);
  });

  test('goes on where that cannot be written down', async () => {
    await using t = temporaryLedger();
    const closed = { ...t.db, write: () => Promise.reject(new Error('read-only')) };
    await noteUnmovedSessions({ db: closed, clock: t.clock, isRedisOn: true, log: t.log });
    expect(t.log.lines.map(({ message }) => message)).toEqual([
      'where browser sessions are kept could not be written down',
    ]);
  });
});

test('doctor says the same, and nothing where there is nothing to say', async () => {
  const clock = new ManualClock(Date.now());
  await using t = temporaryLedger({ clock });
  expect(await doctorOf(t, {})).toEqual([]);
  expect(await doctorOf(t, SOMEWHERE)).toEqual(['ok: those of browsers are in Redis']);
  await t.signIn(await t.addUser());
  expect(await doctorOf(t, SOMEWHERE)).toEqual([expect.stringMatching(/^warn: one browser session is/)]);
  await start(t, true);
  expect(await doctorOf(t, {})).toEqual([expect.stringMatching(/^warn: Redis is off/)]);
});
