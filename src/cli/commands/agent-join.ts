import { existsSync, writeFileSync } from 'node:fs';
import { aboutThisMachine } from '../../agent/about.ts';
import type { AgentConfig } from '../../agent/config.ts';
import { type JoinPrompt, join } from '../../agent/join.ts';
import { type JoinTarget, readJoinTarget } from '../../agent/join-target.ts';
import type { Pairing } from '../../agent/model.ts';
import { type AgentState, makeState } from '../../agent/state.ts';
import { formatDuration } from '../../config/duration.ts';
import { tomlValue } from '../../config/toml.ts';
import { askServer } from '../../control/client.ts';
import { controlAddress } from '../../control/protocol.ts';
import { systemClock } from '../../lib/clock.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { CommandContext } from '../command.ts';
import { printable } from '../table.ts';
import { agentConfig, agentConfigPath, agentDirectory } from './agent-options.ts';

/** At boot the network may come up after the agent. */
const PATIENCE_MS = 60_000;

/** Pairs this device, and keeps what it got. */
export async function joinAsAgent(context: CommandContext): Promise<void> {
  const { io, args } = context;
  const target = joinTarget(args.value('join') ?? '', args.value('server'));
  const config = agentConfig(context);
  const state = makeState(agentDirectory(context));
  const before = state.pairing();
  requireFree(before);
  // Whoever unpaired the device may have done so because of its key.
  const key = before === undefined ? state.key() : state.renewKey();
  const pairing = await join({
    target,
    about: aboutThisMachine({ name: config.name, serial: args.value('serial'), labels: config.labels }),
    key,
    ca: config.ca,
    clock: systemClock,
    patienceMs: PATIENCE_MS,
    onWait: (reason) => io.err(`${reason}; trying again\n`),
    onPrompt: (prompt) => io.out(promptLines(prompt).join('\n')),
  });
  state.writePairing(pairing);
  keepServices(context, config);
  const isRunning = await nudge(state, io.workingDir);
  io.out(joinedLines(pairing, config, isRunning).join('\n'));
}

function joinTarget(text: string, server: string | undefined): JoinTarget {
  const read = readJoinTarget(text, server);
  if ('target' in read) return read.target;
  throw new CommandError(`--join: ${read.fault}\nSee: postern help agent`, 2);
}

function requireFree(before: Pairing | undefined): void {
  if (before === undefined || before.ended !== undefined) return;
  throw new CommandError(
    `this device is paired already, as ${before.handle} with ${before.server}\nTo pair it anew: postern agent leave; or give another one a --dir of its own`,
  );
}

/** The services of the command line that has joined are those of the agent from now on, unless there is a file. */
function keepServices(context: CommandContext, config: AgentConfig): void {
  const path = agentConfigPath(context);
  const given = context.args.values('service');
  if (existsSync(path) || given.length === 0) return;
  const lines = [...config.services].map(([name, { origin }]) => `${name} = ${tomlValue(origin)}`);
  writeFileSync(
    path,
    `# What can be reached on this device, and nothing else.\n[services]\n${lines.join('\n')}\n`,
    {
      mode: 0o600,
    },
  );
}

/** Tells an agent that waits for a pairing. Answers whether there is one. */
async function nudge({ directory }: AgentState, workingDir: string): Promise<boolean> {
  const answer = await askServer(controlAddress(directory, workingDir), { operation: 'reload', input: {} });
  return answer !== undefined;
}

function promptLines({ userCode, uri, fingerprint, expiresInMs }: JoinPrompt): string[] {
  return [
    `Open ${printable(uri)} and type this code:`,
    '',
    `  ${printable(userCode)}`,
    '',
    `The page shows the key of this device; it has to be: ${fingerprint}`,
    `The code is good for ${formatDuration(expiresInMs)}.`,
  ];
}

function joinedLines(
  { name, handle, server }: Pairing,
  { services }: AgentConfig,
  isRunning: boolean,
): string[] {
  return [
    `Paired with ${server} as ${printable(handle)} (${printable(name)})`,
    ...(services.size === 0
      ? ['  no services yet: name them in agent.toml, or with --service name=http://127.0.0.1:8080']
      : [`  services: ${[...services.keys()].join(', ')}`]),
    isRunning ? '  the agent that runs here connects now' : '  to connect: postern agent',
  ];
}
