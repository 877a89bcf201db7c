import { readFileSync } from 'node:fs';

/** Bit of SIGHUP in the masks of `/proc/<pid>/status`. */
const SIGHUP_BIT = 1n;

/**
 * Whether closing the terminal ends this process: only when it was started in the foreground, and not with SIGHUP
 * ignored. What was started with `nohup` or `&` survives its shell. Where the system cannot say, it survives too.
 */
export function hangUpEnds(read: (path: string) => string = (path) => readFileSync(path, 'utf8')): boolean {
  try {
    return isInForeground(read('/proc/self/stat')) && !ignoresHangUp(read('/proc/self/status'));
  } catch {
    return false;
  }
}

/** Whether the process group is the one that the terminal listens to (`man 5 proc_pid_stat`: pgrp and tpgid). */
function isInForeground(stat: string): boolean {
  // The name of the program stands in parentheses and may hold anything.
  const [, , group, , , terminalGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group !== undefined && group === terminalGroup;
}

function ignoresHangUp(status: string): boolean {
  const [, mask] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return mask !== undefined && (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
}
