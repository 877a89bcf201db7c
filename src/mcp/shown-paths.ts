import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type HiddenPaths, isBelow, isCovered, isDirectory, realPath } from './hidden-paths.ts';

/**
 * What the command of a backend names, in places that children have of their own: who writes `/tmp/server.js` into the
 * configuration means that file. A program's directory comes with it, for what stands beside it.
 */
export function namedPaths(argv: readonly string[], hidden: HiddenPaths): string[] {
  const named = argv.flatMap((word) => withTarget(word)).filter((path) => isCovered(path, hidden));
  return [...new Set(named.map((path) => withNeighbours(path, hidden)))];
}

/**
 * The home of root is closed to every other account, and children of root have others. Where a command names something in
 * it, children find a home that is open, with what stands in it.
 */
export function neededHome(argv: readonly string[], home: string | undefined): string[] {
  const real = home === undefined ? undefined : realPath(home);
  if (real === undefined || !argv.some((word) => withTarget(word).some((path) => isBelow(path, real))))
    return [];
  return readdirSync(real).map((name) => join(real, name));
}

/** A path as it is written, and where its links lead. */
function withTarget(word: string): string[] {
  const real = word.startsWith('/') ? realPath(word) : undefined;
  return real === undefined ? [] : [word, real];
}

/** Of `/run` nothing comes along: what stands there are sockets and secrets. */
function withNeighbours(path: string, hidden: HiddenPaths): string {
  const around = dirname(path);
  const mayCome = isBelow(around, '/tmp') || isBelow(around, '/var/tmp');
  return mayCome && isCovered(around, hidden) && !isDirectory(path) ? around : path;
}
