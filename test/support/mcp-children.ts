import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/lib/clock.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ChildProcess, type CloseLadder, spawnChild } from '../../src/mcp/child-process.ts';
import { childUids, uidRange } from '../../src/mcp/child-uids.ts';
import { hiddenPaths } from '../../src/mcp/hidden-paths.ts';
import type { Isolation, IsolationTools } from '../../src/mcp/isolation.ts';
import { bubblewrapIsolation } from '../../src/mcp/isolation-bubblewrap.ts';
import { setprivIsolation, unshareIsolation } from '../../src/mcp/isolation-unshare.ts';
import type { LongLine } from '../../src/mcp/line-splitter.ts';
import { until } from './until.ts';

const PROJECT = join(import.meta.dir, '..', '..');
const IS_ROOT = process.getuid?.() === 0;
/** Where children find what is there: a checkout in a temporary directory is none of their business. */
export const LASTING = !/^\/(?:var\/)?tmp\//.test(PROJECT) ? PROJECT : IS_ROOT ? '/var/lib' : homedir();
/** `nobody`: an ordinary user that every system has. */
const ORDINARY_UID = 65_534;

export const TOOLS: IsolationTools = {
  bwrap: required('bwrap', 'bubblewrap'),
  unshare: required('unshare', 'util-linux'),
  setpriv: required('setpriv', 'util-linux'),
  mount: required('mount', 'mount'),
  sh: required('sh', 'dash'),
};

function required(program: string, debian: string): string {
  const path = Bun.which(program);
  if (path === null) throw new Error(`${program} is missing: apt-get install ${debian}`);
  return path;
}

/** A directory that `/tmp` being private does not hide, with something in it that nobody else may see. */
export function secretDirectory(owner: number | undefined): Disposable & { path: string; secret: string } {
  const path = mkdtempSync(join(LASTING, '.test-data-'));
  const secret = `hush-${crypto.randomUUID()}`;
  writeFileSync(join(path, 'secret'), secret, { mode: 0o600 });
  if (owner !== undefined) for (const each of [path, join(path, 'secret')]) chownSync(each, owner, owner);
  return { path, secret, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface IsolationCase {
  readonly name: string;
  /** The account that runs the appliance; `undefined`: ours. */
  readonly account: number | undefined;
  make(own: readonly string[]): Isolation;
}

/** An isolation as an ordinary user would use it, also when the tests are run by root. */
function asOrdinaryUser(isolation: Isolation | undefined): Isolation {
  if (isolation === undefined) throw new Error('a tool is missing');
  if (!IS_ROOT) return isolation;
  const identity = ['--reuid', String(ORDINARY_UID), '--regid', String(ORDINARY_UID), '--clear-groups', '--'];
  return {
    ...isolation,
    wrap(request) {
      const command = isolation.wrap(request);
      return { ...command, argv: [TOOLS.setpriv ?? '', ...identity, ...command.argv] };
    },
  };
}

/** Every way of isolation that the one who runs the tests can try. */
export function isolationCases(): IsolationCase[] {
  const hostOf = (own: readonly string[], isRoot: boolean) => ({
    tools: TOOLS,
    isRoot,
    home: homedir(),
    hidden: hiddenPaths({ own, home: undefined }),
  });
  const account = IS_ROOT ? ORDINARY_UID : undefined;
  const ordinary: IsolationCase[] = [
    {
      name: 'bubblewrap, ordinary user',
      account,
      make: (own) => asOrdinaryUser(bubblewrapIsolation(hostOf(own, false))),
    },
    {
      name: 'unshare, ordinary user',
      account,
      make: (own) => asOrdinaryUser(unshareIsolation(hostOf(own, false))),
    },
  ];
  if (!IS_ROOT) return ordinary;
  const existing = (isolation: Isolation | undefined) => {
    if (isolation === undefined) throw new Error('a tool is missing');
    return isolation;
  };
  return [
    ...ordinary,
    {
      name: 'bubblewrap, root',
      account: undefined,
      make: (own) => existing(bubblewrapIsolation(hostOf(own, true))),
    },
    {
      name: 'setpriv, root',
      account: undefined,
      make: (own) => existing(setprivIsolation(hostOf(own, true))),
    },
  ];
}

const uids = childUids(
  uidRange(readFileSync('/proc/self/uid_map', 'utf8')) ?? { first: ORDINARY_UID, count: 1 },
);
export const takeUid = (isolation: Isolation) => (isolation.needsUid ? uids.take('test') : undefined);

export interface TestChild extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly lines: string[];
  readonly long: LongLine[];
  readonly errors: string[];
  /** Resolves once it has printed this line. */
  printed(line: string): Promise<void>;
}

interface ChildInput {
  argv: readonly [string, ...string[]];
  env?: Record<string, string>;
  isolation?: Isolation;
  cache?: string;
  clock?: Clock;
  maxLineBytes?: number;
  maxQueuedBytes?: number;
  ladder?: CloseLadder;
}

/** Short enough for tests, long enough for a busy machine. */
const LADDER = { inputClosedMs: 2_000, terminatedMs: 2_000 };

export function startChild(input: ChildInput): TestChild {
  const { argv, env = {}, isolation, cache, clock = systemClock } = input;
  const lines: string[] = [];
  const long: LongLine[] = [];
  const errors: string[] = [];
  const command =
    isolation === undefined
      ? { argv, wrappers: 0, cwd: '/' }
      : isolation.wrap({ argv, uid: takeUid(isolation), cache });
  const child = spawnChild({
    ...command,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...env },
    clock,
    maxLineBytes: input.maxLineBytes ?? 1_000_000,
    maxQueuedBytes: input.maxQueuedBytes ?? 1_000_000,
    ladder: input.ladder ?? LADDER,
    onLine: (line) => lines.push(line),
    onLong: (line) => long.push(line),
    onErrorLine: (line) => errors.push(line),
  });
  return {
    child,
    lines,
    long,
    errors,
    printed: (line) => until(`the child prints ${line}`, () => lines.includes(line)),
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

/** Whether a process is there and has not ended. */
export function isRunning(pid: number): boolean {
  try {
    const state = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
    return state !== undefined && state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

/** Processes whose environment holds this text; those of other accounts too where we may look. */
export function processesWith(text: string): number[] {
  const pids = [...new Bun.Glob('[0-9]*').scanSync({ cwd: '/proc', onlyFiles: false })].map(Number);
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(text) && isRunning(pid);
    } catch {
      return false;
    }
  });
}
