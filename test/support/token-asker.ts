/**
 * A process that shares a database with others, and asks for the token of a linked account, from many places at once, whenever it gets
 * SIGUSR2. It prints `ready`, and for each round the versions it was given, or why it got none: `round 1: [2]`.
 * `token-asker.ts <json of TokenAsker>`
 */
import { configSchema } from '../../src/config/schema.ts';
import { openDatabase } from '../../src/db/open.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import type { BackendNeeds } from '../../src/upstream/needs.ts';
import type { UserId } from '../../src/users/model.ts';
import { openPeople } from '../../src/users/open-people.ts';
import { temporaryLedger } from './ledger.ts';
import { testUpstream } from './upstream.ts';

export interface TokenAsker {
  readonly databasePath: string;
  readonly origin: string;
  /** Tables of the configuration. */
  readonly tables: Record<string, unknown>;
  readonly backends: readonly BackendNeeds[];
  readonly userId: UserId;
  readonly provider: string;
  /** What time it is, epoch milliseconds. */
  readonly now: number;
}

const AT_ONCE = 25;

const asker = JSON.parse(process.argv[2] ?? '') as TokenAsker;
const aheadMs = asker.now - systemClock.now();
const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
const db = openDatabase({ path: asker.databasePath, clock });
const database = {
  db,
  path: asker.databasePath,
  directory: '',
  [Symbol.asyncDispose]: async () => undefined,
};
const base = temporaryLedger({ clock, database });
const people = openPeople({ db, clock, audit: base.audit, sessions: base.ledger });
const config = configSchema.parse(asker.tables);
const options = { config, origin: asker.origin, backends: asker.backends, isShared: true };
const upstream = testUpstream({ base, people }, options);
upstream.setDependents(() => []);

const versionOf = () =>
  upstream.tokens.current(asker.userId, asker.provider).then(
    (token) => token?.version ?? 'none',
    (error: unknown) => (error instanceof Error ? error.message : 'unknown'),
  );

let round = 0;
process.on('SIGUSR2', () => {
  round++;
  const name = `round ${round}`;
  void Promise.all(Array.from({ length: AT_ONCE }, versionOf)).then((found) =>
    console.log(`${name}: ${JSON.stringify([...new Set(found)])}`),
  );
});
// Nothing else keeps it alive while it waits for a signal.
setInterval(() => undefined, 60_000);
console.log('ready');
