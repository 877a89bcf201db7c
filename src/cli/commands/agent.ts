import type { CommandRun } from '../command.ts';

/** Joins, or runs. */
export const agent: CommandRun = async (context) => {
  if (context.args.has('join')) {
    const { joinAsAgent } = await import('./agent-join.ts');
    return joinAsAgent(context);
  }
  const { runAgent } = await import('./agent-run.ts');
  return runAgent(context);
};
