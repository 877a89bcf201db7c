import type { Config } from '../config/schema.ts';
import type { Arguments } from './arguments.ts';
import type { Io } from './io.ts';

export interface FlagSpec {
  /** Without the dashes. */
  name: string;
  /** What its value is, for the help; a switch has none. */
  value?: string;
  /** It may stand several times, each with a value of its own. */
  repeats?: boolean;
  about: string;
}

export interface OperandSpec {
  name: string;
  optional?: boolean;
}

/** All that help and the parser need to know of a command; the code behind it is loaded only when it is run. */
export interface CommandSpec {
  /** One word, or a group and a word: `user list`. */
  name: string;
  /** One line. */
  summary: string;
  /** More, for its own help page. */
  details?: string;
  operands?: readonly OperandSpec[];
  flags?: readonly FlagSpec[];
  /** Whether it reads the configuration, and takes flags that stand for its keys. */
  configured?: boolean;
  /** Not for people: the appliance starts it itself. */
  isHidden?: boolean;
  load: () => Promise<CommandRun>;
}

/** Done when it resolves; a CommandError says how it failed. */
export type CommandRun = (context: CommandContext) => Promise<void>;

export interface CommandContext {
  io: Io;
  args: Arguments;
  /** @throws ConfigError, exit 2, with everything that is wrong with it. */
  loadConfig: () => Promise<Config>;
}
