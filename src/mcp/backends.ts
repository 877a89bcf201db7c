import { join } from 'node:path';
import type { Config, McpBackendConfig } from '../config/schema.ts';
import { allowCheck, type SubjectsOf } from '../users/allow.ts';
import type { Backend, HttpTransport, StdioBackend, StdioTransport } from './model.ts';

export interface BackendContext {
  /** The public origin of the appliance. */
  origin: string;
  subjectsOf: SubjectsOf;
}

/** The backends that the configuration names; without any, the one that is built in. */
export function compileBackends({ mcp }: Pick<Config, 'mcp'>, context: BackendContext): Backend[] {
  if (mcp.length === 0) return [whoamiBackend(context)];
  return mcp.map((config) => compileBackend(config, context));
}

export function isStdio(backend: Backend): backend is StdioBackend {
  return backend.transport.kind === 'stdio';
}

/** Whether any of them starts programs that have to be isolated. */
export function needsIsolation(backends: readonly Backend[]): boolean {
  return backends.some(({ transport }) => transport.kind === 'stdio' && transport.isolation === 'auto');
}

function compileBackend(config: McpBackendConfig, { origin, subjectsOf }: BackendContext): Backend {
  const { name, provider, sharing, tools, limits, allow } = config;
  return {
    ...names(name, origin),
    provider,
    sharing,
    tools: { allow: tools.allow, deny: tools.deny },
    messageBytes: limits.message_bytes,
    limits: {
      childrenPerUser: limits.children_per_user,
      children: limits.children,
      queue: limits.queue,
      startTimeoutMs: limits.start_timeout,
    },
    transport: transportOf(config),
    mayUse: allowCheck(allow, subjectsOf),
  };
}

const names = (name: string, origin: string) => ({
  name,
  resource: `${origin}/mcp/${name}`,
  scope: `mcp:${name}`,
});

/** The configuration has made sure that there is one of both. */
function transportOf({
  command,
  url,
  env,
  headers,
  isolation,
  cache,
}: McpBackendConfig): StdioTransport | HttpTransport {
  if (url !== undefined) return { kind: 'http', url, headers };
  const [program, ...rest] = command ?? [];
  if (program === undefined)
    throw new Error('a backend without command and url, which the configuration excludes');
  return { kind: 'stdio', argv: [program, ...rest], env, isolation, cache };
}

/** Tells a person who they are signed in as, so that a first connection can be tried at once. */
function whoamiBackend({ origin }: BackendContext): Backend {
  return {
    ...names('whoami', origin),
    provider: undefined,
    sharing: 'grant',
    tools: { allow: undefined, deny: [] },
    messageBytes: 64 * 1024,
    limits: { childrenPerUser: 8, children: 100, queue: 100, startTimeoutMs: 10_000 },
    transport: {
      kind: 'stdio',
      argv: [process.execPath, ...ownSource(), 'mcp-whoami'],
      env: {
        WHOAMI_ID: '${user.id}',
        WHOAMI_USERNAME: '${user.username}',
        WHOAMI_NAME: '${user.name}',
        WHOAMI_EMAIL: '${user.email}',
      },
      isolation: 'exempt',
      cache: undefined,
    },
    mayUse: () => true,
  };
}

/** The compiled file is the program itself; otherwise the runtime is told what to run. */
function ownSource(): string[] {
  return Bun.isStandaloneExecutable ? [] : [join(import.meta.dir, '..', 'main.ts')];
}
