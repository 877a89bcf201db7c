import { qrLines } from '../../lib/qr.ts';
import type { CommandContext, CommandRun } from '../command.ts';
import type { OutputOf } from '../operations.ts';
import { perform } from '../perform.ts';
import { columns } from '../table.ts';

export const listDevices: CommandRun = async (context) => {
  const { io, args } = context;
  const user = args.value('user');
  const devices = await perform(await target(context), 'device.list', user === undefined ? {} : { user });
  if (args.has('json')) io.out(JSON.stringify(devices, null, 2));
  else for (const line of columns([HEADINGS, ...devices.map(rowOf)])) io.out(line);
};

/** Standard output, also when it is no terminal: whoever asks for a code on purpose may pass it on. */
export const pairDevice: CommandRun = async (context) => {
  const { io, args } = context;
  const user = args.optionalOperand('USER');
  const made = await perform(await target(context), 'device.pair', user === undefined ? {} : { user });
  const { username, code, link, server, expires_at } = made;
  io.out(`This code lets one device in, as one of ${username}, once, until ${expires_at}:`);
  io.out(`  ${code}`);
  io.out('On the device, type:');
  io.out(`  postern agent --join ${code} --server ${server}`);
  io.out('or give it this link:');
  io.out(`  ${link}`);
  if (!io.outIsTerminal && !args.has('qr')) return;
  for (const line of await qrLines(link, { colours: io.outIsTerminal })) io.out(line);
};

export const unpairDevice: CommandRun = async (context) => {
  const device = context.args.operand('DEVICE');
  const { handle, username } = await perform(await target(context), 'device.unpair', { device });
  context.io.out(`unpaired ${handle} of ${username}; nothing of it works any more`);
};

const target = async ({ io, loadConfig }: CommandContext) => ({ io, config: await loadConfig() });

const HEADINGS = ['DEVICE', 'NAME', 'OF', 'CONNECTED', 'LAST SEEN', 'LABELS', 'ID'];

function rowOf(device: OutputOf<'device.list'>[number]): string[] {
  const { handle, name, username, connected, last_seen_at, labels, id } = device;
  const shown = Object.entries(labels).map(([label, value]) => (value === '' ? label : `${label}=${value}`));
  return [
    handle,
    name,
    username,
    connected === null ? '?' : connected ? 'yes' : 'no',
    last_seen_at,
    shown.join(',') || '-',
    id,
  ];
}
