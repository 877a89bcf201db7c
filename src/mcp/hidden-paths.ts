import { readlinkSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';

/** What isolated children do not find; all of it exists and is named by its real path. */
export interface HiddenPaths {
  /** Directories of the system that children have of their own, and empty. */
  readonly system: readonly string[];
  /** Empty for children, wherever they stand. */
  readonly directories: readonly string[];
  /** Empty files for children. */
  readonly files: readonly string[];
  /** Found by children although what they stand in is hidden. */
  readonly kept: readonly KeptPath[];
}

export interface KeptPath {
  readonly path: string;
  /** What a symbolic link leads to; absent for a file. */
  readonly target: string | undefined;
}

/** Sockets of the system's services stand in `/run`: whoever reaches them may be given the whole machine. */
const SYSTEM_DIRECTORIES = ['/run', '/var/tmp', '/dev/shm', '/dev/pts', '/dev/mqueue'];
/** Private to each child and writable, so that a way of isolation makes it itself. */
const PRIVATE_DIRECTORY = '/tmp';
/** Keys of the account that runs the appliance. */
const KEYS_OF_HOME = [
  '.ssh',
  '.gnupg',
  '.aws',
  '.kube',
  '.docker',
  '.netrc',
  '.git-credentials',
  '.config/gh',
];
/** Name resolution, and the system itself on NixOS. */
const NEEDED = ['/etc/resolv.conf', '/run/current-system'];

export interface HiddenPathsOptions {
  /** Files and directories of the appliance; what is not there is left out. */
  readonly own: readonly string[];
  readonly home: string | undefined;
}

export function hiddenPaths({ own, home }: HiddenPathsOptions): HiddenPaths {
  const keys = home === undefined ? [] : KEYS_OF_HOME.map((name) => join(home, name));
  const system = SYSTEM_DIRECTORIES.flatMap((path) => realPath(path) ?? []);
  const found = new Set([...own, ...keys].flatMap((path) => realPath(path) ?? []));
  const outermost = [...found].filter((path) => ![...found].some((other) => isBelow(path, other)));
  return {
    system,
    directories: outermost.filter(isDirectory),
    files: outermost.filter((path) => !isDirectory(path)),
    kept: NEEDED.flatMap((path) => keptPath(path, system)),
  };
}

/** Whether a path is nowhere to be found anyway, because what it stands in is another for children. */
export function isCovered(path: string, { system }: HiddenPaths): boolean {
  return [PRIVATE_DIRECTORY, ...system].some((each) => isBelow(path, each));
}

/** Whether a path stands inside a directory. */
export function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory === sep ? sep : directory + sep) && path !== directory;
}

function keptPath(path: string, hidden: readonly string[]): KeptPath[] {
  const target = linkTarget(path);
  if (target !== undefined && hidden.some((each) => isBelow(path, each))) return [{ path, target }];
  const real = realPath(path);
  if (real === undefined || !hidden.some((each) => isBelow(real, each))) return [];
  return [{ path: real, target: undefined }];
}

export function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
