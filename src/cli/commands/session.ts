import type { CommandContext, CommandRun } from '../command.ts';
import type { OutputOf } from '../operations.ts';
import { perform } from '../perform.ts';
import { columns } from '../table.ts';

export const listSessions: CommandRun = async (context) => {
  const { io, args } = context;
  const user = args.value('user');
  const sessions = await perform(await target(context), 'session.list', user === undefined ? {} : { user });
  if (args.has('json')) io.out(JSON.stringify(sessions, null, 2));
  else for (const line of columns([HEADINGS, ...sessions.map(rowOf)])) io.out(line);
};

export const endSession: CommandRun = async (context) => {
  const session = context.args.operand('SESSION');
  await perform(await target(context), 'session.end', { session });
  context.io.out(`ended ${session}`);
};

export const endAllSessions: CommandRun = async (context) => {
  const { io, args } = context;
  const { username, ended } = await perform(await target(context), 'session.end-all', {
    user: args.operand('USER'),
    devices: args.has('devices'),
  });
  io.out(`ended ${ended} ${ended === 1 ? 'session' : 'sessions'} of ${username}`);
};

const target = async ({ io, loadConfig }: CommandContext) => ({ io, config: await loadConfig() });

const HEADINGS = ['SESSION', 'USER', 'KIND', 'WHERE', 'LAST SEEN', 'FROM'];

function rowOf(session: OutputOf<'session.list'>[number]): string[] {
  const { id, username, kind, host, label, last_seen_at, address } = session;
  return [id, username, kind, host ?? label ?? '-', last_seen_at, address ?? '-'];
}
