import { type HiddenPaths, isCovered } from './hidden-paths.ts';
import {
  type Isolation,
  type IsolationHost,
  PRIVATE_CACHE,
  PRIVATE_HOME,
  setprivArguments,
} from './isolation.ts';

/**
 * Runs inside the new namespaces, before the child. Its arguments: mount, setpriv, the cache (or nothing), then pairs of what to do and with which path, `--`, and what setpriv is given.
 * A mount that was inherited keeps its flags, which is why they are read and written again.
 */
const SCRIPT = `set -eu
mount=$1 setpriv=$2 cache=$3
shift 3
"$mount" -n -t tmpfs -o mode=1777,nosuid,nodev tmpfs ${PRIVATE_HOME}
if [ -n "$cache" ]; then
  mkdir ${PRIVATE_CACHE}
  "$mount" -n --bind "$cache" ${PRIVATE_CACHE}
fi
while [ "$1" != -- ]; do
  case $1 in
    save) saved=$(cat -- "$2") ;;
    directory) "$mount" -n -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$2" ;;
    file) "$mount" -n --bind /dev/null "$2" ;;
    write) mkdir -p -- "\${2%/*}" && printf '%s\\n' "$saved" > "$2" ;;
    link) mkdir -p -- "\${3%/*}" && ln -s -- "$2" "$3" && shift ;;
  esac
  shift 2
done
shift
while read -r _ _ _ _ target options _; do
  target=$(printf '%b' "$target")
  case $target in /proc | /proc/* | ${PRIVATE_HOME} | ${PRIVATE_CACHE}) continue ;; esac
  flags=ro
  for flag in nosuid nodev noexec; do
    case ,$options, in *,$flag,*) flags=$flags,$flag ;; esac
  done
  "$mount" -n -o "remount,bind,$flags" "$target"
done < /proc/self/mountinfo
cd ${PRIVATE_HOME}
"$setpriv" "$@"
`;

/** `--kill-child` ends pid 1 in there, and with it everything else, when unshare ends; `--pdeathsig` has it end with us. */
const NAMESPACES = [
  '--mount',
  '--propagation',
  'private',
  '--pid',
  '--ipc',
  '--uts',
  '--fork',
  '--mount-proc',
];

/** util-linux's unshare with a user namespace: for ordinary users where bubblewrap is not installed. */
export function unshareIsolation(host: IsolationHost): Isolation | undefined {
  return host.isRoot ? undefined : byScript('unshare', host, ['--user', '--map-root-user']);
}

/** Root without bubblewrap: the same namespaces but that of users, and a uid for each child. */
export function setprivIsolation(host: IsolationHost): Isolation | undefined {
  return host.isRoot ? byScript('setpriv', host, []) : undefined;
}

function byScript(
  name: 'unshare' | 'setpriv',
  { tools, isRoot, hidden }: IsolationHost,
  more: readonly string[],
): Isolation | undefined {
  const { unshare, setpriv, mount, sh } = tools;
  if (unshare === undefined || setpriv === undefined || mount === undefined || sh === undefined)
    return undefined;
  const steps = stepsOf(hidden);
  return {
    name,
    needsUid: isRoot,
    wrap: ({ argv, uid, cache = '' }) => ({
      argv: [
        setpriv,
        '--pdeathsig',
        'KILL',
        '--',
        unshare,
        ...more,
        ...NAMESPACES,
        '--kill-child=SIGKILL',
        '--',
        sh,
        '-c',
        SCRIPT,
        'postern',
        mount,
        setpriv,
        cache,
        ...steps,
        '--',
        ...setprivArguments(uid),
        ...argv,
      ],
      wrappers: 2,
      cwd: '/',
    }),
  };
}

/** Of what is kept only one file can be; there is none but that of name resolution. */
function stepsOf(hidden: HiddenPaths): string[] {
  const { system, files, directories, kept } = hidden;
  const isOpen = (path: string) => !isCovered(path, hidden);
  const [file] = kept.filter(({ target }) => target === undefined);
  return [
    ...(file === undefined ? [] : ['save', file.path]),
    ...[...system, ...directories.filter(isOpen)].flatMap((path) => ['directory', path]),
    ...files.filter(isOpen).flatMap((path) => ['file', path]),
    ...(file === undefined ? [] : ['write', file.path]),
    ...kept.flatMap(({ path, target }) => (target === undefined ? [] : ['link', target, path])),
  ];
}
