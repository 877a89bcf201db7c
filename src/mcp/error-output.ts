import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';

export interface ErrorOutputOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly backend: string;
  readonly pid: () => number | undefined;
  /** What must not be in the log, however the child came to write it. */
  readonly secrets: readonly string[];
}

export interface ErrorOutput {
  line(text: string): void;
  /** Tells what was left out. */
  end(): void;
}

/** Lines of one child that go into the log in one window; a child that writes more has nothing to say. */
const MAX_LINES = 50;
const WINDOW_MS = 10_000;
const HIDDEN = '(hidden)';
/** A shorter beginning of a secret, at the end of a line that was cut, says nothing of it. */
const MIN_BEGINNING = 4;

/** What a child writes to its error output goes into the log: bounded, and without the secrets that it was given. */
export function errorOutput({ log, clock, backend, pid, secrets }: ErrorOutputOptions): ErrorOutput {
  const hide = hider(secrets);
  let windowEnds = 0;
  let lines = 0;
  let leftOut = 0;
  const tellLeftOut = () => {
    if (leftOut > 0)
      log.info('an MCP server wrote more than is kept', { backend, pid: pid(), lines: leftOut });
    leftOut = 0;
  };
  return {
    line(text) {
      const now = clock.monotonicNow();
      if (now >= windowEnds) {
        tellLeftOut();
        [windowEnds, lines] = [now + WINDOW_MS, 0];
      }
      lines++;
      if (lines > MAX_LINES) leftOut++;
      else log.info('an MCP server wrote', { backend, pid: pid(), text: hide(text) });
    },
    end: tellLeftOut,
  };
}

/** Replaces secrets, also as they stand in URLs and in JSON, and the beginning of one at which a line was cut. */
function hider(secrets: readonly string[]): (text: string) => string {
  const forms = secrets
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    .filter((form) => form !== '')
    .toSorted((a, b) => b.length - a.length);
  const unique = [...new Set(forms)];
  return (text) => {
    const hidden = unique.reduce((rest, form) => rest.replaceAll(form, HIDDEN), text);
    const cut = Math.max(0, ...unique.map((form) => beginningAtEnd(hidden, form)));
    return cut === 0 ? hidden : `${hidden.slice(0, -cut)}${HIDDEN}`;
  };
}

/** How many characters at the end of a text are the beginning of a secret. */
function beginningAtEnd(text: string, secret: string): number {
  for (let length = Math.min(text.length, secret.length - 1); length >= MIN_BEGINNING; length--)
    if (text.endsWith(secret.slice(0, length))) return length;
  return 0;
}
