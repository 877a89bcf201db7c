import type { CommandSpec, FlagSpec } from './command.ts';
import { COMMANDS, CONFIGURATION_FLAGS, GROUPS } from './commands.ts';
import { commandNamed } from './find-command.ts';
import { columns } from './table.ts';

/** The help for all, for a group, or for one command. @throws CommandError, exit 2, for a name that there is not. */
export function helpFor(words: readonly string[]): string {
  const name = words.join(' ');
  if (name === '') return overview();
  return GROUPS.has(name) ? groupHelp(name) : commandHelp(commandNamed(name));
}

function overview(): string {
  const single = COMMANDS.filter(({ name, isHidden }) => !name.includes(' ') && isHidden !== true).map(
    ({ name, summary }) => [name, summary],
  );
  const groups = [...GROUPS].map(([name, summary]) => [name, summary]);
  return [
    'Usage: postern [COMMAND] [FLAGS]',
    '',
    ...columns([...single, ...groups], '  '),
    '',
    'Exit status: 0 done, 1 failed, 2 wrong use or configuration.',
    'More about one of them: postern help COMMAND',
  ].join('\n');
}

function groupHelp(group: string): string {
  const members = COMMANDS.filter(({ name }) => name.startsWith(`${group} `));
  return [
    `Usage: postern ${group} COMMAND`,
    '',
    ...columns(
      members.map((command) => [usage(command), command.summary]),
      '  ',
    ),
  ].join('\n');
}

function commandHelp(command: CommandSpec): string {
  const flags = command.configured
    ? [...(command.flags ?? []), ...CONFIGURATION_FLAGS]
    : (command.flags ?? []);
  return [
    `Usage: postern ${usage(command)}${flags.length > 0 ? ' [FLAGS]' : ''}`,
    '',
    capitalised(command.summary),
    ...(command.details === undefined ? [] : ['', command.details]),
    ...(flags.length === 0 ? [] : ['', 'Flags:', ...columns(flags.map(flagRow), '  ')]),
  ].join('\n');
}

function usage({ name, operands = [] }: CommandSpec): string {
  return [name, ...operands.map((operand) => (operand.optional ? `[${operand.name}]` : operand.name))].join(
    ' ',
  );
}

const flagRow = ({ name, value, about }: FlagSpec) => [
  `--${name}${value === undefined ? '' : ` ${value}`}`,
  about,
];

const capitalised = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
