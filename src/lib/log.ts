import type { Clock } from './clock.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Record<string, unknown>;

/** Structured log. Fields hold ids and figures; a secret, a query string or a request body never enters one. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LoggerOptions {
  format: 'json' | 'text';
  level: LogLevel;
  clock: Clock;
  /** Takes one finished line, newline included. */
  write: (line: string) => void;
}

const SEVERITY: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };

export function createLogger({ format, level, clock, write }: LoggerOptions): Logger {
  const least = SEVERITY[level];
  const line = format === 'json' ? jsonLine : textLine;
  const at =
    (entryLevel: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (SEVERITY[entryLevel] < least) return;
      write(line(new Date(clock.now()).toISOString(), entryLevel, message, fields));
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const head = { time, level, message };
  const parts = Object.entries({ ...head, ...fields, ...head })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${JSON.stringify(key)}:${toJson(plainValue(value))}`);
  return `{${parts.join(',')}}\n`;
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${toJson(plainValue(value))}`);
  return `${time} ${level.toUpperCase().padEnd(5)} ${oneLine(message)}${rest.join('')}\n`;
}

/** An error becomes its name, code and message: stacks of third parties may quote input, so only bugs show theirs. */
function plainValue(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const cause = value.cause instanceof Error ? ` (${value.cause.message})` : '';
  return `${value.name}: ${value.message}${cause}`;
}

/** A line that cannot be written is no reason to fail what it tells of. */
function toJson(value: unknown): string {
  try {
    return (
      JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? String(each) : each)) ??
      'null'
    );
  } catch {
    return '"(not printable)"';
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]+/g, ' ');
}
