import { openApp } from '../../app.ts';
import type { Config } from '../../config/schema.ts';
import { nodeName } from '../../config/schema-node.ts';
import { type ControlPlace, ownSocketAddress, runningServers } from '../../control/any-server.ts';
import { listenControl } from '../../control/server.ts';
import { HeldByAnother } from '../../db/lock.ts';
import { RoleTaken } from '../../db/roles.ts';
import { systemClock, withDeadline } from '../../lib/clock.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { CommandRun } from '../command.ts';
import type { Io } from '../io.ts';
import { serverLog } from '../log.ts';
import { performOperation } from '../operations.ts';
import { patiently } from '../patience.ts';
import { endStart } from './end-start.ts';
import { greet } from './greeting.ts';
import { warnOfNamesakes } from './namesakes.ts';
import { logParts } from './part-lines.ts';
import { keepSetupFileWhileOpen } from './setup-file.ts';
import { type EndingSignals, endingSignals } from './signals.ts';
import { logStrays } from './strays.ts';
import { noteUnmovedSessions } from './unmoved.ts';

const clock = systemClock;
/** For closing the database and the like, on top of the time that requests have. */
const CLOSING_MS = 1_000;

/** Runs the appliance until a signal asks it to end; another one ends it at once. */
export const serve: CommandRun = async ({ io, loadConfig }) => {
  using signals = endingSignals(clock);
  const config = await loadConfig();
  const cut = signals.second.then((signal) => {
    throw new CommandError(`ended at once by a second signal (${signal})`);
  });
  await Promise.race([serveUntil(signals, config, io), cut]);
};

async function serveUntil(signals: EndingSignals, config: Config, io: Io): Promise<void> {
  const log = serverLog(config, io);
  logParts(config, log);
  using _strays = logStrays(log);
  await using starting = new AsyncDisposableStack();
  const place = { dataDir: config.data_dir, workingDir: io.workingDir };
  const isShared = config.redis.url !== undefined;
  const app = starting.use(await openWhenFree(() => openApp(config, { clock, log }), place));
  await warnOfNamesakes(config, place, log);
  const control = await listenControl({
    address: await ownSocketAddress(place, isShared ? 'shared' : 'exclusive'),
    clock,
    log,
    perform: ({ operation, input }) => performOperation(app.services, operation, input),
  });
  starting.use(control);
  await noteUnmovedSessions({ ...app.services, isRedisOn: isShared, log });
  const running = starting.move();

  greet(app, config, io);
  const { ledger, local } = app.services;
  using _setupFile = keepSetupFileWhileOpen({
    events: ledger.events,
    isOpen: () => local.setup.isOpen(),
    dataDir: config.data_dir,
    isShared,
  });
  using _started = endStart(clock);
  log.info('ready', { url: app.url, listen: app.listen, ...whoAmongNodes(config) });
  const signal = await signals.first;
  log.info('ending: nothing new is accepted, what is running may finish', { signal });
  const tooLate = () => new CommandError('not everything had finished in time');
  await withDeadline(clock, config.http.drain_timeout + CLOSING_MS, running.disposeAsync(), tooLate);
  log.info('ended');
}

/** Of one among several. */
const whoAmongNodes = (config: Config) =>
  config.redis.url === undefined ? {} : { node: nodeName(config), roles: config.roles.join(', ') || 'none' };

/** Waits for a command, or for a server that is ending, to let go of what is needed; not for one that goes on. */
function openWhenFree<T>(open: () => Promise<T>, place: ControlPlace): Promise<T> {
  return patiently(async () => {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof HeldByAnother) || !(await goesOn(error, place))) throw error;
      throw new CommandError(error.message, 1, { cause: error });
    }
  });
}

/** Whether a server that still takes commands has what was asked for. */
async function goesOn(held: HeldByAnother, place: ControlPlace): Promise<boolean> {
  const servers = await runningServers(place);
  return servers.some(({ status }) => !(held instanceof RoleTaken) || status.roles.includes(held.role));
}
