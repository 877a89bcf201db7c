import { arch, platform } from 'node:os';
import { startAgent } from '../../agent/agent.ts';
import type { AgentConfig } from '../../agent/config.ts';
import { streamServer } from '../../agent/serve.ts';
import { type AgentState, makeState } from '../../agent/state.ts';
import { controlAddress } from '../../control/protocol.ts';
import { listenControl } from '../../control/server.ts';
import { DataDirectoryInUse, lockDataDirectory } from '../../db/lock.ts';
import { buildInfo } from '../../lib/build-info.ts';
import { systemClock, withDeadline } from '../../lib/clock.ts';
import { CommandError } from '../../lib/command-error.ts';
import { createLogger, type Logger } from '../../lib/log.ts';
import type { CommandContext } from '../command.ts';
import type { Io } from '../io.ts';
import { endStart } from '../serve/end-start.ts';
import { endingSignals } from '../serve/signals.ts';
import { logStrays } from '../serve/strays.ts';
import { agentConfig, agentDirectory } from './agent-options.ts';

const clock = systemClock;
const CLOSING_MS = 1_000;

/** Keeps the tunnel until a signal asks it to end; another one ends it at once. */
export async function runAgent(context: CommandContext): Promise<void> {
  using signals = endingSignals(clock);
  const { io } = context;
  const config = agentConfig(context);
  const state = makeState(agentDirectory(context));
  using _lock = lockAlone(state.directory);
  // What is on the disk has to be sound before anything is promised.
  state.pairing();
  const log = createLogger({
    format: io.errIsTerminal ? 'text' : 'json',
    level: 'info',
    clock,
    write: (line) => io.err(line),
  });
  using _strays = logStrays(log);
  using _started = endStart(clock);
  const cut = signals.second.then((signal) => {
    throw new CommandError(`ended at once by a second signal (${signal})`);
  });
  await Promise.race([runUntil(signals.first, { config, state, log, io }), cut]);
}

interface Running {
  config: AgentConfig;
  state: AgentState;
  log: Logger;
  io: Io;
}

async function runUntil(ending: Promise<string>, { config, state, log, io }: Running): Promise<void> {
  await using starting = new AsyncDisposableStack();
  const server = starting.use(streamServer({ services: config.services, limits: config.limits, clock, log }));
  const agent = starting.use(
    startAgent({
      config,
      state,
      clock,
      log,
      serve: (stream) => server.accept(stream),
      version: buildInfo.version,
    }),
  );
  const control = await listenControl({
    address: controlAddress(state.directory, io.workingDir),
    clock,
    log,
    async perform({ operation }) {
      if (operation === 'reload') agent.reload();
      else if (operation !== 'status') throw new CommandError(`the agent knows no ${operation}`);
      return { ...agent.status(), version: buildInfo.version, services: Object.fromEntries(server.records) };
    },
  });
  starting.use(control);
  const running = starting.move();
  log.info('the agent runs', {
    version: buildInfo.version,
    platform: `${platform()}-${arch()}`,
    services: [...config.services.keys()].join(', '),
  });
  const signal = await ending;
  log.info('ending: what is running may finish', { signal });
  const tooLate = () => new CommandError('not everything had finished in time');
  await withDeadline(clock, config.tunnel.drain_timeout + CLOSING_MS, running.disposeAsync(), tooLate);
}

/** Two agents with one key would take the tunnel from each other for ever. */
function lockAlone(directory: string): Disposable {
  try {
    return lockDataDirectory(directory);
  } catch (error) {
    if (!(error instanceof DataDirectoryInUse)) throw error;
    throw new CommandError(`another agent runs in ${directory} already`, 1, { cause: error });
  }
}
