import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { askServer } from './client.ts';
import { type ControlAnswer, type ControlRequest, controlAddress } from './protocol.ts';

/** Where the servers of a data directory are asked: several, where they share it. */
export interface ControlPlace {
  dataDir: string;
  /** Of the command: a shorter path may lead from it. */
  workingDir: string;
}

/** What a server says of itself. */
export interface ServerStatus {
  readonly node: string;
  readonly roles: readonly string[];
}

/** `control.sock` of a server that is alone, `control-<pid>.sock` of one among several. */
const SOCKET = /^control(?:-\d+){0,2}\.sock$/;

/**
 * Has any running server perform one act. `undefined`: none listens.
 * @throws CommandError as `askServer` does.
 */
export async function askAnyServer(
  place: ControlPlace,
  request: ControlRequest,
): Promise<ControlAnswer | undefined> {
  for (const address of socketAddresses(place)) {
    const answer = await askServer(address, request);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** The same, but the server that has this role is asked where there is one. */
export async function askServerWith(
  role: string,
  place: ControlPlace,
  request: ControlRequest,
): Promise<ControlAnswer | undefined> {
  for (const { address, status } of await runningServers(place)) {
    const answer = status.roles.includes(role) ? await askServer(address, request) : undefined;
    if (answer !== undefined) return answer;
  }
  return askAnyServer(place, request);
}

/** Every server that listens for commands. */
export async function runningServers(
  place: ControlPlace,
): Promise<{ address: string; status: ServerStatus }[]> {
  const asked = socketAddresses(place).map(async (address) => {
    const status = await statusAt(address);
    return status === undefined ? [] : [{ address, status }];
  });
  return (await Promise.all(asked)).flat();
}

/**
 * The address for a server to listen at: `control.sock` when it is alone, and otherwise one with its pid. In containers that share
 * a data directory pids repeat; then a further number tells them apart. What dead servers left is removed.
 */
export async function ownSocketAddress(
  { dataDir, workingDir }: ControlPlace,
  mode: 'exclusive' | 'shared',
  pid = process.pid,
): Promise<string> {
  await sweepSockets({ dataDir, workingDir });
  if (mode === 'exclusive') return controlAddress(dataDir, workingDir);
  const taken = new Set(socketNames(dataDir));
  let name = `control-${pid}.sock`;
  for (let further = 2; taken.has(name); further++) name = `control-${pid}-${further}.sock`;
  return controlAddress(dataDir, workingDir, name);
}

async function sweepSockets({ dataDir, workingDir }: ControlPlace): Promise<void> {
  for (const name of socketNames(dataDir)) {
    const status = await statusAt(controlAddress(dataDir, workingDir, name));
    if (status === undefined) rmSync(join(dataDir, name), { force: true });
  }
}

async function statusAt(address: string): Promise<ServerStatus | undefined> {
  const answer = await askServer(address, { operation: 'status', input: {} });
  // One that refuses to say runs all the same.
  if (answer === undefined) return undefined;
  return 'output' in answer && isStatus(answer.output) ? answer.output : { node: '', roles: [] };
}

function isStatus(output: unknown): output is ServerStatus {
  return typeof output === 'object' && output !== null && 'roles' in output && Array.isArray(output.roles);
}

function socketAddresses({ dataDir, workingDir }: ControlPlace): string[] {
  return socketNames(dataDir).map((name) => controlAddress(dataDir, workingDir, name));
}

/** None where there is no such directory. */
function socketNames(dataDir: string): string[] {
  try {
    return readdirSync(dataDir)
      .filter((name) => SOCKET.test(name))
      .toSorted();
  } catch {
    return [];
  }
}
