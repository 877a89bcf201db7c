/** What a server says of itself. */
export interface ServerInfo {
  readonly version: string;
  /** Another one after each start of the server. */
  readonly runId: string;
  /** Another one once a replica was made the primary. */
  readonly replicationId: string;
  readonly role: string;
  /** What it does when its memory is full; empty where it does not say. */
  readonly evictionPolicy: string;
}

/** Fields of `INFO` (https://redis.io/docs/latest/commands/info/). */
export function serverInfo(fields: Readonly<Record<string, string | undefined>>): ServerInfo {
  return {
    version: fields['redis_version'] ?? '',
    runId: fields['run_id'] ?? '',
    replicationId: fields['master_replid'] ?? '',
    role: fields['role'] ?? '',
    evictionPolicy: fields['maxmemory_policy'] ?? '',
  };
}

/** The text of `INFO`, all of it or sections. */
export function parseServerInfo(text: string): ServerInfo {
  const pairs = text.split('\r\n').flatMap((line): [string, string][] => {
    const at = line.indexOf(':');
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
  });
  return serverInfo(Object.fromEntries(pairs));
}

/** Older ones do not count what was ever added to a stream, and nobody could tell that an event was lost. */
const OLDEST = [7, 0] as const;

/** Why sessions cannot be kept at this server; `undefined` where they can. */
export function serverFault({ version, role }: ServerInfo): string | undefined {
  if (version === '') return 'it does not say what it is; its user needs the command INFO';
  if (!isNewEnough(version)) return `it is Redis ${version}; ${OLDEST.join('.')} is the oldest that will do`;
  return role === 'master' ? undefined : `it is a replica, which takes no writes (role ${role})`;
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/** Whether sessions may vanish when the memory of the server is full. Policies of keys that expire mean ours too. */
export function mayEvict({ evictionPolicy }: ServerInfo): boolean {
  return evictionPolicy !== '' && evictionPolicy !== 'noeviction';
}
