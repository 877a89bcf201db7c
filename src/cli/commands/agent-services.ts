import { ConnectError, connectLocal } from '../../agent/local-socket.ts';
import type { ServiceTarget } from '../../agent/model.ts';
import { systemClock } from '../../lib/clock.ts';
import type { CommandRun } from '../command.ts';
import { columns } from '../table.ts';
import { agentConfig } from './agent-options.ts';

const TIMEOUT_MS = 3_000;

/** Every service of the list, and whether it takes connections now. */
export const agentServices: CommandRun = async (context) => {
  const { io, args } = context;
  const { services } = agentConfig(context);
  const found = await Promise.all(
    [...services].map(async ([name, target]) => ({
      name,
      target: target.origin,
      state: await probe(target),
    })),
  );
  if (args.has('json')) return io.out(JSON.stringify(found, null, 2));
  for (const line of columns([['SERVICE', 'TARGET', 'STATE'], ...found.map((each) => Object.values(each))]))
    io.out(line);
};

async function probe(target: ServiceTarget): Promise<string> {
  const deaf = {
    data: () => undefined,
    drained: () => undefined,
    ended: () => undefined,
    closed: () => undefined,
  };
  try {
    const socket = await connectLocal(target, deaf, { clock: systemClock, timeoutMs: TIMEOUT_MS });
    socket.destroy();
    return 'takes connections';
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    return error.failure === 'certificate' ? 'its certificate is not believed' : error.failure;
  }
}
