import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { User } from '../users/model.ts';
import { notLinked, secretMissing } from './broker-errors.ts';
import { cacheOf } from './child-cache.ts';
import { type ChildProcess, type CloseLadder, spawnChild } from './child-process.ts';
import type { ChildUids } from './child-uids.ts';
import { errorOutput } from './error-output.ts';
import { type Isolation, noIsolation, PRIVATE_CACHE, PRIVATE_HOME } from './isolation.ts';
import { endMarked } from './leftovers.ts';
import type { LongLine } from './line-splitter.ts';
import type { StdioBackend } from './model.ts';
import { type Filled, fillPlaceholders, type PlaceholderValues } from './placeholders.ts';
import { MARKER_VARIABLE, type SpawnRecords } from './spawn-records.ts';

export interface LaunchRequest {
  readonly backend: StdioBackend;
  readonly user: User;
  readonly values: PlaceholderValues;
  readonly onLine: (line: string) => void;
  readonly onLong: (line: LongLine) => void;
}

/** Starts children: environment from nothing, isolated, recorded so that a later life of the appliance can end them. */
export interface ChildLauncher {
  /**
   * Resolves with a child that has been started; whether it speaks MCP is the caller's to find out.
   * @throws AppError `forbidden` (`mcp_not_linked`, `mcp_secret_missing`) when a token or a secret that it needs is not
   * there, `unavailable` (`mcp_start_failed`) when it cannot be started.
   */
  launch(request: LaunchRequest): Promise<ChildProcess>;
}

export interface LauncherDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly records: SpawnRecords;
  /** For backends that are to be isolated; absent when there are none. */
  readonly isolation: Isolation | undefined;
  /** Present where isolation gives each child a uid. */
  readonly uids: ChildUids | undefined;
  readonly ladder: CloseLadder;
  /** What every environment begins with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Of the account that runs the appliance, for children that are not isolated. */
  readonly home: string;
}

export function childLauncher(deps: LauncherDeps): ChildLauncher {
  return {
    async launch(request) {
      const { backend, values } = request;
      const filled = requireFilled(fillPlaceholders(backend.transport.env, values));
      const marker = await deps.records.begin(backend.name);
      let uid: number | undefined;
      const undo = () => {
        if (uid !== undefined) deps.uids?.give(uid);
        deps.records.ended(marker);
      };
      try {
        const isolation = isolationOf(backend, deps);
        uid = isolation.needsUid ? deps.uids?.take(`${backend.name} ${request.user.id}`) : undefined;
        return start(request, { isolation, uid, filled, marker }, deps, undo);
      } catch (error) {
        undo();
        throw startFailed(error, backend.name, deps.log);
      }
    },
  };
}

type Argv = readonly [string, ...string[]];

interface Start {
  isolation: Isolation;
  uid: number | undefined;
  filled: Filled;
  marker: string;
}

function start(
  { backend, user, onLine, onLong }: LaunchRequest,
  { isolation, uid, filled, marker }: Start,
  { clock, log, records, ladder, environment, home }: LauncherDeps,
  onEnded: () => void,
): ChildProcess {
  const { argv, cache: root } = backend.transport;
  const cache = root === undefined ? undefined : cacheOf({ cache: root, name: backend.name }, user.id, uid);
  let child: ChildProcess | undefined;
  const output = errorOutput({
    log,
    clock,
    backend: backend.name,
    pid: () => child?.pid,
    secrets: [...filled.secrets, ...secretLiterals(filled.values)],
  });
  child = spawnChild({
    ...isolation.wrap({ argv: found(argv, filled.values['PATH'] ?? environment['PATH']), uid, cache }),
    env: {
      ...environment,
      ...homeVariables(isolation.name === 'none' ? home : PRIVATE_HOME),
      ...cacheVariables(cache === undefined || isolation.name === 'none' ? cache : PRIVATE_CACHE),
      ...filled.values,
      [MARKER_VARIABLE]: marker,
    },
    clock,
    maxLineBytes: backend.messageBytes,
    maxQueuedBytes: QUEUED_MESSAGES * backend.messageBytes,
    ladder,
    onLine,
    onLong,
    onErrorLine: (line) => output.line(line),
  });
  records.started(marker, child.pid);
  void afterwards(child, () => {
    output.end();
    if (isolation.name === 'none') endMarked(marker);
    onEnded();
  });
  return child;
}

/** The program by its path, so that whatever isolates the child knows where it stands. */
function found([program, ...rest]: Argv, path: string | undefined): Argv {
  return [Bun.which(program, path === undefined ? {} : { PATH: path }) ?? program, ...rest];
}

async function afterwards(child: ChildProcess, run: () => void): Promise<void> {
  await child.exited;
  run();
}

/** Of the largest size, waiting for a child to read. */
const QUEUED_MESSAGES = 4;

function isolationOf({ transport }: StdioBackend, { isolation, home }: LauncherDeps): Isolation {
  if (transport.isolation !== 'auto') return noIsolation(home);
  if (isolation === undefined) throw new Error('no isolation has been chosen');
  return isolation;
}

function homeVariables(home: string): Record<string, string> {
  return { HOME: home, ...(home === PRIVATE_HOME && { TMPDIR: home }) };
}

/** Where npm, and whatever follows the XDG directories, keep what they have downloaded. */
function cacheVariables(cache: string | undefined): Record<string, string> {
  return cache === undefined ? {} : { XDG_CACHE_HOME: cache, npm_config_cache: `${cache}/npm` };
}

/** Tokens that the operator wrote into the configuration, by the name of their variable. */
function secretLiterals(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values)
    .filter(
      ([name, value]) => /TOKEN|SECRET|KEY|PASS|AUTH|CREDENTIAL/i.test(name) && value.length >= MIN_SECRET,
    )
    .map(([, value]) => value);
}

/** Shorter values are words, and would make the log unreadable. */
const MIN_SECRET = 6;

/** @throws AppError when a placeholder stands for nothing. */
function requireFilled(filled: Filled): Filled {
  if (filled.missing.length === 0) return filled;
  throw filled.missing.includes('${upstream.access_token}') ? notLinked() : secretMissing();
}

function startFailed(error: unknown, backend: string, log: Logger): unknown {
  if (error instanceof AppError) return error;
  log.error('an MCP server could not be started', { backend, error });
  return new AppError('unavailable', 'mcp_start_failed', 'This MCP server could not be started.', {
    retryAfterSeconds: 5,
    cause: error,
  });
}
