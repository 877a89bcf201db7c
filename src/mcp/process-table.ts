import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel says of one process (proc(5)). */
export interface ProcessFacts {
  readonly pid: number;
  /** One letter; `Z` has ended and waits for its parent to look. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  /** Clock ticks since boot: with the pid it names one process for good. */
  readonly startTicks: string;
}

/** Fields of `/proc/<pid>/stat` behind the name, counted from the state. */
const STATE = 0;
const PARENT = 1;
const GROUP = 2;
const START = 19;

/** `undefined`: there is no such process, or no `/proc`. */
export function processFacts(pid: number): ProcessFacts | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name stands in parentheses and may hold any character, parentheses too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    state: fields[STATE] ?? '',
    parent: Number(fields[PARENT]),
    group: Number(fields[GROUP]),
    startTicks: fields[START] ?? '',
  };
}

/** Every process there is. */
export function allProcesses(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** A process and all below it, parents first; namespaces are no border. */
export function treeOf(pid: number): number[] {
  const found = [pid];
  for (const each of found) found.push(...childrenOf(each));
  return found;
}

function childrenOf(pid: number): number[] {
  return threadsOf(pid)
    .flatMap((thread) => read(`/proc/${pid}/task/${thread}/children`)?.trim().split(' ') ?? [])
    .filter((text) => text !== '')
    .map(Number);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Resident memory, in bytes; pages that several processes share are counted for each. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
    return sum + Number(kilobytes ?? 0) * 1024;
  }, 0);
}

/** A variable that a process was started with; `undefined` too where we may not know. */
export function variableOf(pid: number, name: string): string | undefined {
  const start = `${name}=`;
  const found = read(`/proc/${pid}/environ`)
    ?.split('\0')
    .find((each) => each.startsWith(start));
  return found?.slice(start.length);
}

/** Differs between any two boots of the machine; empty where the system does not tell. */
export function bootId(): string {
  return read('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
