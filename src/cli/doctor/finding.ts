import type { Config } from '../../config/schema.ts';
import type { ServerStatus } from '../../control/any-server.ts';

/** One line of `doctor`. A `fail` keeps the appliance from working, a `warn` may be meant so. */
export interface Finding {
  level: 'ok' | 'warn' | 'fail';
  about: string;
  text: string;
}

export interface CheckContext {
  config: Config;
  /** Whether the server of this data directory is running. */
  isRunning: boolean;
  /** What those say of themselves that are running. */
  servers?: readonly ServerStatus[];
}

/** Looks and reports; changes nothing. */
export type Check = (context: CheckContext) => Promise<Finding[]> | Finding[];

/** Findings about one thing. */
export function findingsAbout(about: string) {
  const finding =
    (level: Finding['level']) =>
    (text: string): Finding => ({ level, about, text });
  return { ok: finding('ok'), warn: finding('warn'), fail: finding('fail') };
}
