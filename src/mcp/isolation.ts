import type { HiddenPaths } from './hidden-paths.ts';

/** One child to be isolated. */
export interface IsolationRequest {
  readonly argv: readonly [string, ...string[]];
  /** The uid that it runs as; only where we may choose, otherwise it has ours. */
  readonly uid: number | undefined;
  /** A directory that is found at `PRIVATE_CACHE` and stays. */
  readonly cache: string | undefined;
}

export interface IsolatedCommand {
  readonly argv: readonly [string, ...string[]];
  /** Programs before the child's own in the line of processes. */
  readonly wrappers: number;
  readonly cwd: string;
}

export type IsolationName = 'bubblewrap' | 'unshare' | 'setpriv' | 'none';

/**
 * A way to keep children from the appliance and from each other. Each child has processes, shared memory and mounts of its
 * own, everything read-only but a private `/tmp`, no capabilities, `no_new_privs`, and dies with the appliance. The network
 * is shared: a server has to reach what it serves.
 */
export interface Isolation {
  readonly name: IsolationName;
  /** Whether each child has to be given a uid of its own. */
  readonly needsUid: boolean;
  wrap(request: IsolationRequest): IsolatedCommand;
}

/** Programs of the system that isolate; `undefined` where there is none. */
export interface IsolationTools {
  readonly bwrap: string | undefined;
  readonly unshare: string | undefined;
  readonly setpriv: string | undefined;
  readonly mount: string | undefined;
  readonly sh: string | undefined;
}

/** What ways of isolation have to know of this machine. */
export interface IsolationHost {
  readonly tools: IsolationTools;
  /** Whether we are root, and may give children other uids. */
  readonly isRoot: boolean;
  /** Of the account that runs the appliance. */
  readonly home: string | undefined;
  readonly hidden: HiddenPaths;
}

/** Where children begin, and their `HOME`: the private `/tmp`. */
export const PRIVATE_HOME = '/tmp';

/** Where isolated children find their cache: what follows the XDG directories looks there by itself. */
export const PRIVATE_CACHE = `${PRIVATE_HOME}/.cache`;

/** `setpriv` gives up all that a program could use to get more; as root it also takes another uid. */
export function setprivArguments(uid: number | undefined): string[] {
  const identity =
    uid === undefined ? [] : ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
  return [
    ...identity,
    '--bounding-set=-all',
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--no-new-privs',
    '--',
  ];
}

/** No isolation at all: what the operator wrote out, and our own program. */
export function noIsolation(cwd: string): Isolation {
  return { name: 'none', needsUid: false, wrap: ({ argv }) => ({ argv, wrappers: 0, cwd }) };
}
