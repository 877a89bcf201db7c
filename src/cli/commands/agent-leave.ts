import { askSigned, whyUnreachable } from '../../agent/server-api.ts';
import { serverTime } from '../../agent/server-time.ts';
import { openState } from '../../agent/state.ts';
import { systemClock } from '../../lib/clock.ts';
import { CommandError } from '../../lib/command-error.ts';
import { FetchError } from '../../lib/safe-fetch.ts';
import type { CommandRun } from '../command.ts';
import { agentConfig, agentDirectory } from './agent-options.ts';

const SELF = '/api/v1/device';

/** The device unpairs itself; what it knew of the pairing is gone afterwards. */
export const agentLeave: CommandRun = async (context) => {
  const state = openState(agentDirectory(context));
  const pairing = state.pairing();
  if (pairing === undefined) throw new CommandError('this device is not paired');
  const time = serverTime(systemClock);
  const deps = { pairing, key: state.key(), time, clock: systemClock, ca: agentConfig(context).ca };
  const ask = () =>
    askSigned('DELETE', SELF, deps).catch((error: unknown) => {
      if (!(error instanceof FetchError)) throw error;
      throw new CommandError(`${pairing.server}: ${whyUnreachable(error)}; unpair it there instead`, 1, {
        cause: error,
      });
    });
  let answer = await ask();
  if (answer.status === 401 && answer.serverMs !== undefined && time.correct(answer.serverMs))
    answer = await ask();
  const isGone = answer.status < 300 || answer.code === 'device_not_paired';
  if (!isGone) throw new CommandError(answer.detail ?? `the server answers ${answer.status}`);
  state.forget();
  context.io.out(`${pairing.handle} is unpaired from ${pairing.server}`);
};
