import type { HiddenPaths } from './hidden-paths.ts';
import {
  type Isolation,
  type IsolationHost,
  type IsolationRequest,
  PRIVATE_CACHE,
  PRIVATE_HOME,
  setprivArguments,
} from './isolation.ts';

const NAMESPACES = [
  '--unshare-pid',
  '--unshare-ipc',
  '--unshare-uts',
  '--unshare-cgroup-try',
  '--die-with-parent',
];
const FILE_SYSTEM = ['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc'];

/**
 * bubblewrap: the program that Flatpak isolates with. An ordinary user needs user namespaces for it; root does without, and
 * gives each child a uid of its own, because uid 0 without capabilities could still ask the system's services for anything.
 * `undefined` where a program is missing.
 */
export function bubblewrapIsolation({ tools, isRoot, hidden }: IsolationHost): Isolation | undefined {
  const { bwrap, setpriv } = tools;
  if (bwrap === undefined || (isRoot && setpriv === undefined)) return undefined;
  const fixed = [
    ...(isRoot ? [] : ['--unshare-user']),
    ...NAMESPACES,
    ...FILE_SYSTEM,
    ...writable(isRoot, PRIVATE_HOME),
    ...hiding(hidden),
  ];
  return {
    name: 'bubblewrap',
    needsUid: isRoot,
    wrap: ({ argv, uid, cache }) => ({
      argv: [
        bwrap,
        ...fixed,
        ...cacheArguments(cache),
        '--chdir',
        PRIVATE_HOME,
        '--',
        ...inner(uid, setpriv),
        ...argv,
      ],
      wrappers: 2,
      cwd: '/',
    }),
  };
}

/** A directory of root's would not be writable for the uid that the child gets. */
function writable(isRoot: boolean, path: string): string[] {
  return isRoot ? ['--perms', '1777', '--tmpfs', path] : ['--tmpfs', path];
}

function hiding({ directories, files, kept }: HiddenPaths): string[] {
  return [
    // `--dev` has made another `/dev` already.
    ...directories.filter((path) => !path.startsWith('/dev/')).flatMap((path) => ['--tmpfs', path]),
    ...files.flatMap((path) => ['--ro-bind', '/dev/null', path]),
    ...kept.flatMap(({ path, target }) =>
      target === undefined ? ['--ro-bind', path, path] : ['--symlink', target, path],
    ),
  ];
}

function cacheArguments(cache: IsolationRequest['cache']): string[] {
  return cache === undefined ? [] : ['--bind', cache, PRIVATE_CACHE];
}

function inner(uid: number | undefined, setpriv: string | undefined): string[] {
  return uid === undefined || setpriv === undefined ? [] : [setpriv, ...setprivArguments(uid)];
}
