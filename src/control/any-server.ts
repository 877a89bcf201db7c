import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../lib/command-error.ts';
import { askServer } from './client.ts';
import { type ControlAnswer, type ControlRequest, controlAddress } from './protocol.ts';

/** Where the servers of a data directory are asked: several, where they share it. */
export interface ControlPlace {
  dataDir: string;
  /** Of the command: a shorter path may lead from it. */
  workingDir: string;
  /** How long a server may take to say what it is, in milliseconds. */
  patienceMs?: number;
}

/** What a server says of itself. */
export interface ServerStatus {
  readonly node: string;
  readonly roles: readonly string[];
}

/** One that is stopped or busy takes connections and says nothing. In milliseconds. */
const PATIENCE_MS = 2_000;

const NOBODY: ServerStatus = { node: '', roles: [] };

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
  const addresses = socketAddresses(place);
  // One that hangs must not keep a command from those that answer.
  const asked = addresses.length > 1 ? await thoseWhoAnswer(place) : addresses;
  for (const address of asked) {
    const answer = await askServer(address, request);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

async function thoseWhoAnswer(place: ControlPlace): Promise<string[]> {
  const running = await runningServers(place);
  return running.toSorted((a, b) => Number(b.answers) - Number(a.answers)).map(({ address }) => address);
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

interface RunningServer {
  readonly address: string;
  /** Without a name and roles where it did not say. */
  readonly status: ServerStatus;
  /** Whether it said so in time. */
  readonly answers: boolean;
}

/** Every server that listens for commands. */
export async function runningServers(place: ControlPlace): Promise<RunningServer[]> {
  const asked = socketAddresses(place).map(async (address) => {
    const status = await statusAt(address, place);
    if (status === undefined) return [];
    return [{ address, status: status === 'silent' ? NOBODY : status, answers: status !== 'silent' }];
  });
  return (await Promise.all(asked)).flat();
}

/**
 * The address for a server to listen at: `control.sock` when it is alone, and otherwise one with its pid. In containers that share
 * a data directory pids repeat; then a further number tells them apart. What dead servers left is removed.
 */
export async function ownSocketAddress(
  place: ControlPlace,
  mode: 'exclusive' | 'shared',
  pid = process.pid,
): Promise<string> {
  const { dataDir, workingDir } = place;
  await sweepSockets(place);
  if (mode === 'exclusive') return controlAddress(dataDir, workingDir);
  const taken = new Set(socketNames(dataDir));
  let name = `control-${pid}.sock`;
  for (let further = 2; taken.has(name); further++) name = `control-${pid}-${further}.sock`;
  return controlAddress(dataDir, workingDir, name);
}

async function sweepSockets(place: ControlPlace): Promise<void> {
  const { dataDir, workingDir } = place;
  for (const name of socketNames(dataDir)) {
    const status = await statusAt(controlAddress(dataDir, workingDir, name), place);
    if (status === undefined) rmSync(join(dataDir, name), { force: true });
  }
}

/** `undefined`: nobody listens. */
async function statusAt(
  address: string,
  { patienceMs = PATIENCE_MS }: ControlPlace,
): Promise<ServerStatus | 'silent' | undefined> {
  try {
    const answer = await askServer(address, { operation: 'status', input: {} }, { patienceMs });
    if (answer === undefined) return undefined;
    return 'output' in answer && isStatus(answer.output) ? answer.output : NOBODY;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return 'silent';
  }
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
