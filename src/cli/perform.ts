import { existsSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import { askServer } from '../control/client.ts';
import { type ControlAnswer, controlAddress } from '../control/protocol.ts';
import { databasePath } from '../db/files.ts';
import { DataDirectoryInUse } from '../db/lock.ts';
import { sleep, systemClock } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import type { Io } from './io.ts';
import { commandLog } from './log.ts';
import { type InputOf, type OperationName, type OutputOf, performOperation } from './operations.ts';

const clock = systemClock;
/** How long another process may be starting or ending: then it holds the data directory, and nobody answers yet. */
const PATIENCE_MS = 5_000;
const RETRY_MS = 50;

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
  const address = controlAddress(target.config.data_dir, target.io.workingDir);
  const giveUpAt = clock.monotonicNow() + PATIENCE_MS;
  for (;;) {
    const answer = await askServer(address, { operation, input });
    if (answer !== undefined) return outputOf(answer) as OutputOf<Name>;
    try {
      return (await performHere(target, operation, input)) as OutputOf<Name>;
    } catch (error) {
      if (!(error instanceof DataDirectoryInUse) || clock.monotonicNow() >= giveUpAt) throw error;
      await sleep(clock, RETRY_MS);
    }
  }
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
  const { openServices } = await import('../app.ts');
  await using services = await openServices(config, { clock, log: commandLog(io) });
  return await performOperation(services, operation, input);
}

const nothingThere = (dataDir: string) =>
  new CommandError(`there is no database in ${dataDir} yet; start the server once, or name another data_dir`);
