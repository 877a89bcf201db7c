import { type ClientView, LOG_LEVELS, type LogLevel } from './exchange.ts';
import type { JsonObject } from './json-rpc.ts';

/** How verbose: smaller is more. `undefined` comes last: nothing is wanted. */
function verbosity(level: LogLevel | undefined): number {
  return level === undefined ? LOG_LEVELS.length : LOG_LEVELS.indexOf(level);
}

export function mostVerbose(levels: Iterable<LogLevel | undefined>): LogLevel | undefined {
  let most: LogLevel | undefined;
  for (const level of levels) if (verbosity(level) < verbosity(most)) most = level;
  return most;
}

/** Whether a client takes a log message. A legacy one that named no level takes all of them; a modern one, none. */
export function wantsLog({ era, logLevel }: ClientView, params: JsonObject | undefined): boolean {
  if (logLevel === undefined) return era === 'legacy';
  const level = LOG_LEVELS.findIndex((known) => known === params?.['level']);
  return level === -1 || level >= LOG_LEVELS.indexOf(logLevel);
}
