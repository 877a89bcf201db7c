import { fetchDeliveries, sendReceipt } from '../../agent/deliveries.ts';
import type { SignerDeps } from '../../agent/server-api.ts';
import { serverTime } from '../../agent/server-time.ts';
import { openState } from '../../agent/state.ts';
import { systemClock } from '../../lib/clock.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { CommandContext, CommandRun } from '../command.ts';
import { agentConfig, agentDirectory } from './agent-options.ts';

/** What waits for this device, one JSON object a line, oldest first. */
export const agentDeliveries: CommandRun = async (context) => {
  for (const delivery of await fetchDeliveries(signerOf(context))) context.io.out(JSON.stringify(delivery));
};

/** What became of one. */
export const agentReceipt: CommandRun = async (context) => {
  const { args } = context;
  const outcome = args.operand('OUTCOME');
  if (outcome !== 'done' && outcome !== 'failed') throw new CommandError('say done or failed', 2);
  await sendReceipt(args.operand('DELIVERY'), { outcome, note: args.value('note') }, signerOf(context));
};

/** @throws CommandError when this device is not paired. */
function signerOf(context: CommandContext): SignerDeps {
  const state = openState(agentDirectory(context));
  const pairing = state.pairing();
  if (pairing === undefined) throw new CommandError('this device is not paired');
  const { ca } = agentConfig(context);
  return { pairing, key: state.key(), time: serverTime(systemClock), clock: systemClock, ca };
}
