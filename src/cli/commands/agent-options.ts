import { resolve } from 'node:path';
import { type AgentConfig, loadAgentConfig } from '../../agent/config.ts';
import type { CommandContext } from '../command.ts';

const DEFAULT_DIRECTORY = 'postern-agent';
const CONFIG_FILE = 'agent.toml';

/** The directory that the agent keeps its state in, absolute. */
export function agentDirectory({ args, io }: Pick<CommandContext, 'args' | 'io'>): string {
  return resolve(io.workingDir, args.value('dir') ?? DEFAULT_DIRECTORY);
}

export function agentConfigPath(context: Pick<CommandContext, 'args' | 'io'>): string {
  const { args, io } = context;
  return resolve(io.workingDir, args.value('config') ?? resolve(agentDirectory(context), CONFIG_FILE));
}

/** @throws ConfigError, exit 2, with everything that is wrong with it. */
export function agentConfig(context: Pick<CommandContext, 'args' | 'io'>): AgentConfig {
  const { args, io } = context;
  const flags = {
    services: args.values('service'),
    labels: args.values('label'),
    name: args.value('name'),
    ca: args.value('ca'),
  };
  return loadAgentConfig(agentConfigPath(context), flags, io.workingDir);
}
