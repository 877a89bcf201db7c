import { z } from 'zod';
import { openState } from '../../agent/state.ts';
import { askServer } from '../../control/client.ts';
import { controlAddress } from '../../control/protocol.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { CommandContext, CommandRun } from '../command.ts';
import { columns } from '../table.ts';
import { agentDirectory } from './agent-options.ts';

const statusSchema = z.looseObject({
  phase: z.string(),
  since: z.string(),
  server: z.string().nullable(),
  handle: z.string().nullable(),
  round_trip_ms: z.number().nullable(),
  last_failure: z.string().nullable(),
  next_dial_at: z.string().nullable(),
  clock_behind_ms: z.number(),
  streams: z.number(),
  buffered_bytes: z.number(),
  connections: z.number(),
});
type Status = z.output<typeof statusSchema>;

/** What the agent of this machine is doing. */
export const agentStatus: CommandRun = async (context) => {
  const { io, args } = context;
  const status = await askAgent(context);
  if (args.has('json')) io.out(JSON.stringify(status, null, 2));
  else for (const line of columns(rows(status))) io.out(line);
  if (status.phase !== 'connected') throw new CommandError(`not connected (${status.phase})`);
};

/** @throws CommandError when none runs. */
async function askAgent(context: CommandContext): Promise<Status> {
  const { directory } = openState(agentDirectory(context));
  const answer = await askServer(controlAddress(directory, context.io.workingDir), {
    operation: 'status',
    input: {},
  });
  if (answer === undefined) throw new CommandError(`no agent runs in ${directory}`);
  if ('refusal' in answer) throw new CommandError(answer.refusal.message, answer.refusal.exitCode);
  return statusSchema.parse(answer.output);
}

function rows(status: Status): [string, string][] {
  const optional: [string, string | number | null][] = [
    ['server', status.server],
    ['device', status.handle],
    ['round trip', status.round_trip_ms === null ? null : `${status.round_trip_ms} ms`],
    ['last failure', status.last_failure],
    ['next dial', status.next_dial_at],
    [
      'clock behind',
      Math.abs(status.clock_behind_ms) < 1_000 ? null : `${Math.round(status.clock_behind_ms / 1_000)} s`,
    ],
  ];
  return [
    ['state', `${status.phase} since ${status.since}`],
    ...optional.flatMap(([name, value]): [string, string][] =>
      value === null ? [] : [[name, String(value)]],
    ),
    ['connected', `${status.connections} times since the agent started`],
    ['streams', `${status.streams}, ${status.buffered_bytes} bytes waiting`],
  ];
}
