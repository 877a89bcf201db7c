import { said } from './content.ts';
import { type Json, send } from './json-lines.ts';

/** Tools that take their time and tell of it. */

/** Pauses between two messages, in milliseconds: the referee's scenarios ask for real ones. */
const STEP_MS = 50;

/** Levels of log messages, the most verbose first. */
export const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

const isWanted = (level: string, wanted: string) => LEVELS.indexOf(level) >= LEVELS.indexOf(wanted);

/** `wanted`: the level that the client asked for, if it did. */
export async function withLogging(wanted: () => string | undefined): Promise<Json> {
  for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
    const level = wanted();
    if (level !== undefined && isWanted('info', level))
      send({ method: 'notifications/message', params: { level: 'info', logger: 'fixture', data } });
    await Bun.sleep(STEP_MS);
  }
  return said('Tool with logging executed');
}

export async function withProgress(token: unknown): Promise<Json> {
  for (const progress of [0, 50, 100]) {
    if (token !== undefined)
      send({ method: 'notifications/progress', params: { progressToken: token, progress, total: 100 } });
    if (progress < 100) await Bun.sleep(STEP_MS);
  }
  return said('Tool with progress executed');
}
