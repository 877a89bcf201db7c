import { type HiddenPaths, isBelow, isCovered } from './hidden-paths.ts';
import {
  type Isolation,
  type IsolationHost,
  type IsolationRequest,
  PRIVATE_CACHE,
  PRIVATE_HOME,
  setprivArguments,
} from './isolation.ts';
import { namedPaths, neededHome } from './shown-paths.ts';

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
export function bubblewrapIsolation(host: IsolationHost): Isolation | undefined {
  const { tools, isRoot } = host;
  const { bwrap, setpriv } = tools;
  if (bwrap === undefined || (isRoot && setpriv === undefined)) return undefined;
  const fixed = [
    ...(isRoot ? [] : ['--unshare-user']),
    ...NAMESPACES,
    ...FILE_SYSTEM,
    ...writable(isRoot, PRIVATE_HOME),
    ...ownOfTheSystem(host.hidden),
  ];
  return {
    name: 'bubblewrap',
    needsUid: isRoot,
    wrap: ({ argv, uid, cache }) => ({
      argv: [
        bwrap,
        ...fixed,
        ...showing(argv, host),
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

function ownOfTheSystem({ system, kept }: HiddenPaths): string[] {
  return [
    // `--dev` has made another `/dev` already.
    ...system.filter((path) => !path.startsWith('/dev/')).flatMap((path) => ['--tmpfs', path]),
    ...kept.flatMap(({ path, target }) =>
      target === undefined ? ['--ro-bind', path, path] : ['--symlink', target, path],
    ),
  ];
}

/** What the command names, and then nothing of ours, wherever that stands. */
function showing(argv: readonly string[], { isRoot, home, hidden }: IsolationHost): string[] {
  const inHome = isRoot ? neededHome(argv, home) : [];
  const shown = namedPaths(argv, hidden);
  const isOpen = (path: string) => !isCovered(path, hidden) || shown.some((each) => isBelow(path, each));
  return [
    ...(home !== undefined && inHome.length > 0 ? ['--perms', '0755', '--tmpfs', home] : []),
    ...[...inHome, ...shown].flatMap((path) => ['--ro-bind-try', path, path]),
    ...hidden.directories.filter(isOpen).flatMap((path) => ['--tmpfs', path]),
    ...hidden.files.filter(isOpen).flatMap((path) => ['--ro-bind', '/dev/null', path]),
  ];
}

function cacheArguments(cache: IsolationRequest['cache']): string[] {
  return cache === undefined ? [] : ['--bind', cache, PRIVATE_CACHE];
}

function inner(uid: number | undefined, setpriv: string | undefined): string[] {
  return uid === undefined || setpriv === undefined ? [] : [setpriv, ...setprivArguments(uid)];
}
