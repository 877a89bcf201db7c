import type { Config } from '../config/schema.ts';
import { systemClock } from '../lib/clock.ts';
import { createLogger, type Logger } from '../lib/log.ts';
import type { Io } from './io.ts';

/** The log of a server: on standard error, so that standard output stays for people. */
export function serverLog({ log }: Pick<Config, 'log'>, io: Io): Logger {
  const format = log.format === 'auto' ? (io.errIsTerminal ? 'text' : 'json') : log.format;
  return createLogger({ format, level: log.level, clock: systemClock, write: (line) => io.err(line) });
}

/** The log of a command that opens the database itself: what a person at the terminal should know. */
export function commandLog(io: Io): Logger {
  return createLogger({ format: 'text', level: 'warn', clock: systemClock, write: (line) => io.err(line) });
}
