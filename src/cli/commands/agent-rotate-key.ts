import { rotateKey } from '../../agent/rotate-key.ts';
import { openState } from '../../agent/state.ts';
import { systemClock } from '../../lib/clock.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { CommandRun } from '../command.ts';
import { agentConfig, agentDirectory } from './agent-options.ts';

/** A new key for this device; an agent that runs dials again with it. */
export const agentRotateKey: CommandRun = async (context) => {
  const state = openState(agentDirectory(context));
  const pairing = state.pairing();
  if (pairing === undefined || pairing.ended !== undefined)
    throw new CommandError('this device is not paired');
  await rotateKey({ state, pairing, clock: systemClock, ca: agentConfig(context).ca });
  context.io.out(`${pairing.handle} has a new key; the one before is good no more`);
};
