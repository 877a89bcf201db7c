import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in `/proc`, the same on every Linux that Bun runs on (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;

/** Seconds of CPU time that the processes have used so far, in user and kernel mode. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.map(cpuTicks).reduce((total, ticks) => total + ticks, 0) / TICKS_PER_SECOND;
}

/** The process and everything it has started, as it is now. */
export function processTree(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => statFields(each)[PARENT] === String(pid));
  return [pid, ...children.flatMap(processTree)];
}

/** Resident memory in MB (10^6 bytes). */
export function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024) / 1_000_000;
}

/** How long memory is looked at, and how often, in milliseconds. */
const WATCHED_MS = 4_000;
const LOOK_MS = 100;

/** The least, or the most, that each process has for a few seconds: garbage comes and goes. */
export async function watchedMegabytes(
  pids: readonly number[],
  pick: (a: number, b: number) => number,
): Promise<number[]> {
  let seen = pids.map(residentMegabytes);
  const until = performance.now() + WATCHED_MS;
  while (performance.now() < until) {
    await Bun.sleep(LOOK_MS);
    seen = seen.map((value, index) => pick(value, residentMegabytes(pids[index] ?? 0)));
  }
  return seen;
}

/** Places in what follows the name in `/proc/<pid>/stat` (`man 5 proc`). */
const PARENT = 1;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

function cpuTicks(pid: number): number {
  const fields = statFields(pid);
  return Number(fields[USER_TICKS] ?? 0) + Number(fields[SYSTEM_TICKS] ?? 0);
}

/** Empty once the process has gone. */
function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
