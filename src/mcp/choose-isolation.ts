import type { Clock } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import { spawnChild } from './child-process.ts';
import type { Isolation, IsolationHost } from './isolation.ts';
import { bubblewrapIsolation } from './isolation-bubblewrap.ts';
import { setprivIsolation, unshareIsolation } from './isolation-unshare.ts';

/** What was tried, and why it does not work here. */
export interface IsolationTrial {
  readonly name: string;
  readonly isolation: Isolation | undefined;
  /** `undefined`: it works. */
  readonly fault: string | undefined;
}

export interface ChooseOptions {
  readonly host: IsolationHost;
  readonly clock: Clock;
  /** A directory that has something in it, which children must not see. */
  readonly secretDirectory: string;
  /** For children of root; `undefined`: there are too few. */
  readonly uid: number | undefined;
}

/** Time for a way of isolation to show that it works, in milliseconds. */
const PROBE_MS = 10_000;
const PROVED = 'isolated';

/** What a child of a way that works finds: nothing in that directory, no capabilities, no way to more, hardly a process. */
const PROBE = `set -eu
[ -z "$(ls -A -- "$1" 2> /dev/null)" ] || { echo 'the data directory can be read' >&2; exit 1; }
grep -q '^CapEff:[[:space:]]*0*$' /proc/self/status || { echo 'capabilities are left' >&2; exit 1; }
grep -q '^NoNewPrivs:[[:space:]]*1$' /proc/self/status || { echo 'no_new_privs is not set' >&2; exit 1; }
[ "$(ls -d /proc/[0-9]* | wc -l)" -lt 16 ] || { echo 'other processes can be seen' >&2; exit 1; }
: > /tmp/probe || { echo '/tmp cannot be written to' >&2; exit 1; }
echo ${PROVED}`;

/** Tries the ways of isolation, best first, and stops at the first that works. */
export async function tryIsolations(options: ChooseOptions): Promise<IsolationTrial[]> {
  const trials: IsolationTrial[] = [];
  for (const [name, isolation, missing] of candidates(options.host)) {
    const fault = isolation === undefined ? missing : await probe(isolation, options);
    trials.push({ name, isolation, fault });
    if (fault === undefined) break;
  }
  return trials;
}

/** @throws CommandError, exit 2, naming what is missing, when none works. */
export async function chooseIsolation(options: ChooseOptions): Promise<Isolation> {
  const trials = await tryIsolations(options);
  const found = trials.find(({ fault }) => fault === undefined)?.isolation;
  if (found !== undefined) return found;
  throw new CommandError(describeFailure(trials), 2);
}

export function describeFailure(trials: readonly IsolationTrial[]): string {
  const reasons = trials.map(({ name, fault }) => `  ${name}: ${fault ?? 'works'}`);
  return [
    'MCP servers cannot be isolated on this machine, and without isolation they could read everybody’s tokens',
    ...reasons,
    'Make one of them work (docs/guides/mcp-isolation.md), remove the [[mcp]] blocks with a command, or, where a single person uses them, set isolation = "none" in each.',
  ].join('\n');
}

type Candidate = readonly [name: string, isolation: Isolation | undefined, missing: string];

function candidates(host: IsolationHost): Candidate[] {
  const { bwrap, ...rest } = host.tools;
  const missing = Object.entries(rest).flatMap(([name, path]) => (path === undefined ? [name] : []));
  const withoutBwrap =
    bwrap === undefined ? 'bwrap is not installed (package bubblewrap)' : 'setpriv is not installed';
  const withoutTools = `not installed: ${missing.join(', ')} (package util-linux)`;
  return [
    ['bubblewrap', bubblewrapIsolation(host), withoutBwrap],
    host.isRoot
      ? ['unshare and setpriv', setprivIsolation(host), withoutTools]
      : ['unshare', unshareIsolation(host), withoutTools],
  ];
}

/** What stands in the way; `undefined`: it works. */
async function probe(isolation: Isolation, options: ChooseOptions): Promise<string | undefined> {
  const { clock, secretDirectory, uid } = options;
  if (isolation.needsUid && uid === undefined) return 'root has too few uids here to give each child its own';
  const output: string[] = [];
  const errors: string[] = [];
  const argv = ['/bin/sh', '-c', PROBE, 'probe', secretDirectory] as const;
  try {
    await using child = spawnChild({
      ...isolation.wrap({ argv: [...argv], uid, cache: undefined }),
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      clock,
      maxLineBytes: 1_000,
      maxQueuedBytes: 0,
      ladder: { inputClosedMs: PROBE_MS, terminatedMs: 100 },
      onLine: (line) => output.push(line),
      onLong: () => undefined,
      onErrorLine: (line) => errors.push(line),
    });
    const { code, signal } = await child.end();
    if (code === 0 && output.includes(PROVED)) return undefined;
    return errors[0] ?? `it ended with ${signal ?? `status ${code}`}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
