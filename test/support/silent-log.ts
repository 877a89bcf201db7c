import type { Logger } from '../../src/lib/log.ts';

/** A log whose lines a test can look at. */
export interface RecordedLog extends Logger {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[];
}

export function recordedLog(): RecordedLog {
  const lines: RecordedLog['lines'] = [];
  const at =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      void lines.push({ level, message, fields });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
