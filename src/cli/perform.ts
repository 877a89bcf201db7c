import { existsSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import type { Role } from '../config/schema-node.ts';
import { askAnyServer, askServerWith } from '../control/any-server.ts';
import type { ControlAnswer, ControlRequest } from '../control/protocol.ts';
import { databasePath } from '../db/files.ts';
import { systemClock } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import type { Io } from './io.ts';
import { commandLog } from './log.ts';
import { type InputOf, type OperationName, type OutputOf, performOperation } from './operations.ts';
import { patiently } from './patience.ts';

export interface PerformTarget {
  config: Config;
  io: Io;
  /** Whether the database may be made for this. */
  mayCreate?: boolean;
}

/**
 * Performs one act: the running server does it, and otherwise this process, which then holds the data directory.
 * @throws CommandError as the act does, or when neither is possible.
 */
export async function perform<Name extends OperationName>(
  target: PerformTarget,
  operation: Name,
  input: InputOf<Name>,
): Promise<OutputOf<Name>> {
  return patiently(async () => {
    const answer = await askRunning(target, { operation, input });
    const output = answer === undefined ? await performHere(target, operation, input) : outputOf(answer);
    return output as OutputOf<Name>;
  });
}

/** Acts that only the holder of a role can do, or knows most about. */
const BEST_ASKED: Readonly<Partial<Record<string, Role>>> = { 'device.list': 'hub', rotate: 'broker' };

function askRunning({ config, io }: PerformTarget, request: ControlRequest) {
  const place = { dataDir: config.data_dir, workingDir: io.workingDir };
  const role = config.redis.url === undefined ? undefined : BEST_ASKED[request.operation];
  return role === undefined ? askAnyServer(place, request) : askServerWith(role, place, request);
}

function outputOf(answer: ControlAnswer): unknown {
  if ('refusal' in answer) throw new CommandError(answer.refusal.message, answer.refusal.exitCode);
  return answer.output;
}

async function performHere(
  { config, io, mayCreate = false }: PerformTarget,
  operation: string,
  input: unknown,
): Promise<unknown> {
  if (!mayCreate && !existsSync(databasePath(config.data_dir))) throw nothingThere(config.data_dir);
  const { openServices } = await import('../services.ts');
  await using services = await openServices(config, { clock: systemClock, log: commandLog(io) });
  return await performOperation(services, operation, input);
}

const nothingThere = (dataDir: string) =>
  new CommandError(`there is no database in ${dataDir} yet; start the server once, or name another data_dir`);
