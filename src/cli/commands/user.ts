import { CommandError } from '../../lib/command-error.ts';
import type { CommandContext, CommandRun } from '../command.ts';
import type { OutputOf } from '../operations.ts';
import { perform } from '../perform.ts';
import { columns } from '../table.ts';

export const listUsers: CommandRun = async (context) => {
  const { io, args } = context;
  const users = await perform(await target(context), 'user.list', {});
  if (args.has('json')) io.out(JSON.stringify(users, null, 2));
  else for (const line of columns([HEADINGS, ...users.map(rowOf)])) io.out(line);
};

export const inviteUser: CommandRun = async (context) => {
  const role = roleOf(context.args.value('role') ?? 'member');
  const { link, expires_at } = await perform({ ...(await target(context)), mayCreate: true }, 'user.invite', {
    role,
  });
  context.io.out(`This link lets one person in as ${role}, once, until ${expires_at}:`);
  context.io.out(link);
};

export const createUser: CommandRun = async (context) => {
  const { io, args } = context;
  const displayName = args.value('name');
  const { user, link, expires_at } = await perform(
    { ...(await target(context)), mayCreate: true },
    'user.create',
    {
      username: args.operand('USERNAME'),
      role: roleOf(args.value('role') ?? 'member'),
      ...(displayName === undefined ? {} : { displayName }),
    },
  );
  io.out(`created the ${user.role} ${user.username} (${user.id})`);
  passwordLink(context, link, expires_at);
};

export const resetPassword: CommandRun = async (context) => {
  const user = context.args.operand('USER');
  const { link, expires_at } = await perform(await target(context), 'user.reset-password', { user });
  passwordLink(context, link, expires_at);
};

export const disableUser: CommandRun = async (context) => {
  const { username } = await perform(await target(context), 'user.disable', {
    user: context.args.operand('USER'),
    devices: context.args.has('devices'),
  });
  context.io.out(`disabled ${username}; all sessions have ended`);
};

export const enableUser: CommandRun = async (context) => {
  const { username } = await perform(await target(context), 'user.enable', {
    user: context.args.operand('USER'),
  });
  context.io.out(`enabled ${username}`);
};

export const removeUser: CommandRun = async (context) => {
  const { username } = await perform(await target(context), 'user.remove', {
    user: context.args.operand('USER'),
  });
  context.io.out(`removed ${username}; all sessions have ended`);
};

export const setUserRole: CommandRun = async (context) => {
  const { args, io } = context;
  const role = roleOf(args.operand('ROLE'));
  const { username } = await perform(await target(context), 'user.set-role', {
    user: args.operand('USER'),
    role,
  });
  io.out(`${username} is ${role === 'owner' ? 'an owner' : 'a member'} now`);
};

const target = async ({ io, loadConfig }: CommandContext) => ({ io, config: await loadConfig() });

/** Standard output, also when it is no terminal: whoever asks for a link on purpose may pass it on. */
function passwordLink({ io }: CommandContext, link: string, expiresAt: string): void {
  io.out(`This link sets a new password, once, until ${expiresAt}:`);
  io.out(link);
}

function roleOf(text: string): 'owner' | 'member' {
  if (text === 'owner' || text === 'member') return text;
  throw new CommandError('the role is owner or member', 2);
}

const HEADINGS = ['USER', 'NAME', 'ROLE', 'STATUS', 'E-MAIL', 'LAST SIGN-IN', 'ID'];

function rowOf(user: OutputOf<'user.list'>[number]): string[] {
  const { id, username, display_name, role, status, email, last_sign_in_at } = user;
  return [username, display_name, role, status, email ?? '-', last_sign_in_at ?? 'never', id];
}
