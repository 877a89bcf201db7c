import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseToml, type RawTable } from '../config/file.ts';
import { refusalsOf } from '../config/issues.ts';
import { ConfigError, describeFound, type Problem, printable } from '../config/problem.ts';
import { readText } from '../config/read-text.ts';
import { SERVICE_NAME, SERVICE_NAME_EXPECTED } from '../config/service-name.ts';
import { nearest } from '../lib/nearest.ts';
import { type AgentFile, agentConfigSchema } from './config-schema.ts';
import type { Services, ServiceTarget } from './model.ts';
import { readTarget, TARGET_EXPECTED } from './targets.ts';

/** Everything an agent is told; durations in milliseconds. */
export interface AgentConfig extends Pick<AgentFile, 'labels' | 'tunnel' | 'limits' | 'name'> {
  readonly services: Services;
  /** Certificates that are believed for the server, PEM. */
  readonly ca: string | undefined;
}

/** What stands on the command line wins over the file. */
export interface AgentFlags {
  readonly services?: readonly string[];
  readonly labels?: readonly string[];
  readonly name?: string | undefined;
  /** A file. */
  readonly ca?: string | undefined;
}

/**
 * Reads `agent.toml` where there is one, and what the command line adds to it. Paths in the file begin at its place.
 * @throws ConfigError (exit 2) with every problem there is.
 */
export function loadAgentConfig(path: string, flags: AgentFlags, cwd: string): AgentConfig {
  const problems: Problem[] = [];
  const file = parsedFile(path, problems);
  const services = new Map<string, ServiceTarget>();
  const add = (name: string, value: AgentFile['services'][string], from: Place) => {
    const isName = SERVICE_NAME.test(name);
    if (!isName) problems.push(problem(from.key, from.source, `a name: ${SERVICE_NAME_EXPECTED}`));
    const target = targetOf(value, from, problems);
    if (isName && target !== undefined) services.set(name, target);
  };
  const base = dirname(path);
  for (const [name, value] of Object.entries(file.services)) {
    add(name, value, { key: printable(`services.${name}`), source: path, base });
  }
  for (const [name, value] of pairs(flags.services ?? [], '--service', problems)) {
    add(name, value, { key: '--service', source: '--service', base: cwd });
  }
  const labels = { ...file.labels, ...Object.fromEntries(pairs(flags.labels ?? [], '--label', problems)) };
  const ca = certificates(
    flags.ca ?? file.ca,
    flags.ca === undefined ? path : '--ca',
    flags.ca === undefined ? base : cwd,
    problems,
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return { name: flags.name ?? file.name, labels, services, ca, tunnel: file.tunnel, limits: file.limits };
}

function parsedFile(path: string, problems: Problem[]): AgentFile {
  const table = existsSync(path) ? readTable(path, problems) : {};
  const parsed = agentConfigSchema.safeParse(table, { jitless: true });
  if (parsed.success) return parsed.data;
  for (const { path: at, expected } of refusalsOf(parsed.error.issues)) {
    problems.push(
      expected === undefined
        ? {
            key: keyText(at),
            source: path,
            found: undefined,
            expected: 'there is no such key',
            nearest: nearestKey(at),
          }
        : problem(keyText(at), path, expected, valueAt(table, at)),
    );
  }
  return agentConfigSchema.parse({}, { jitless: true });
}

function readTable(path: string, problems: Problem[]): RawTable {
  const failed = (key: string, expected: string) => {
    problems.push({ key, source: path, found: undefined, expected, nearest: undefined });
    return {};
  };
  try {
    const parsed = parseToml(readText(path));
    return 'table' in parsed
      ? parsed.table
      : failed(`${path}:${parsed.line}`, `not TOML: ${parsed.complaint}`);
  } catch (error) {
    return failed(path, `the file cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Where a value was written, and where its paths begin. */
interface Place {
  key: string;
  source: string;
  base: string;
}

function targetOf(
  value: AgentFile['services'][string],
  { key, source, base }: Place,
  problems: Problem[],
): ServiceTarget | undefined {
  const { target, ...options } = typeof value === 'string' ? { target: value } : value;
  const ca = 'ca' in options ? certificates(options.ca, source, base, problems) : undefined;
  const read = readTarget(target, { ...options, ca });
  if (read === undefined) problems.push(problem(key, source, TARGET_EXPECTED, target));
  return read;
}

function certificates(
  file: string | undefined,
  source: string,
  base: string,
  problems: Problem[],
): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readText(resolve(base, file));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.push(problem('ca', source, `a file that can be read; ${reason}`, file));
    return undefined;
  }
}

/** `name=value` of flags that may stand several times; the last one of a name counts. */
function pairs(texts: readonly string[], flag: string, problems: Problem[]): [string, string][] {
  return texts.flatMap((each): [string, string][] => {
    const [, name, value] = /^([^=]+)=(.+)$/s.exec(each) ?? [];
    if (name !== undefined && value !== undefined) return [[name, value]];
    problems.push(problem(flag, flag, 'a name and a value, name=value', each));
    return [];
  });
}

function problem(key: string, source: string, expected: string, found?: unknown): Problem {
  const shown = found === undefined ? undefined : describeFound(found, true);
  return { key, source, found: shown, expected, nearest: undefined };
}

const KEYS = [
  ...Object.keys(agentConfigSchema.shape),
  ...['tunnel', 'limits'].flatMap((table) => {
    const defaults: Record<string, unknown> = agentConfigSchema.parse({}, { jitless: true });
    return Object.keys(defaults[table] ?? {}).map((name) => `${table}.${name}`);
  }),
];

const keyText = (at: readonly (string | number)[]) => printable(at.join('.'));
const nearestKey = (at: readonly (string | number)[]) => nearest(at.join('.').slice(0, 64), KEYS);

function valueAt(table: RawTable, at: readonly (string | number)[]): unknown {
  return at.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as RawTable)[String(key)] : undefined,
    table,
  );
}
