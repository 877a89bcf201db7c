import { resolve } from 'node:path';
import type { Assignment } from './assignment.ts';
import { allChecks } from './checks/all.ts';
import { usualDeviceBase } from './device-base.ts';
import { CONFIG_VARIABLE, type Environment, namedFiles, readEnvironment } from './env.ts';
import { type ConfigFile, readConfigFile } from './file.ts';
import { readFlags } from './flags.ts';
import { problemOfRefusal, type Refusal, refusalsOf } from './issues.ts';
import { ConfigError, type Problem } from './problem.ts';
import { type Path, type RawConfig, rawConfig, valueAt } from './raw-config.ts';
import { salvage } from './salvage.ts';
import { type Config, configSchema, type RedisConfig } from './schema.ts';

export interface ConfigInputs {
  /** Flags that stand for configuration and nothing else (`takeConfigFlags`): `--data-dir /x`, `--sessions.cache-size=5`. */
  readonly argv?: readonly string[];
  readonly env: Environment;
  /** Relative paths, wherever they are written, begin here. */
  readonly cwd: string;
}

/**
 * Reads flags, environment and file, in this order of precedence, and decides what they mean together. `data_dir`, the
 * files of `tls` and `redis.tls` and the paths of MCP backends come back absolute, `url` as a bare origin.
 * @throws ConfigError (a CommandError, exit 2) with every problem there is.
 */
export function loadConfig({ argv = [], env, cwd }: ConfigInputs): Config {
  const flags = readFlags(argv);
  const environment = readEnvironment(env, cwd);
  const file = readConfigFile(askedFile(flags.configFile, env), cwd);
  const raw = rawConfig(file);
  for (const assignment of [...environment.assignments, ...flags.assignments]) raw.assign(assignment);
  const { config, problems } = decide(raw, file);
  const all = [
    ...file.problems,
    ...environment.problems,
    ...overlapping(environment.assignments),
    ...flags.problems,
    ...overlapping(flags.assignments),
    ...problems,
  ];
  if (config === undefined || all.length > 0) throw new ConfigError(all);
  const settled = settle(config, cwd);
  sources.set(settled, [...(file.path === undefined ? [] : [file.path]), ...namedFiles(env, cwd)]);
  return settled;
}

const sources = new WeakMap<Config, readonly string[]>();

/** The files that a configuration was read from: itself, and those that hold its secrets. Absolute paths. */
export function sourceFiles(config: Config): readonly string[] {
  return sources.get(config) ?? [];
}

function askedFile(flag: string | undefined, env: Environment): { path: string; source: string } | undefined {
  if (flag !== undefined) return { path: flag, source: '--config' };
  const variable = env[CONFIG_VARIABLE];
  return variable === undefined ? undefined : { path: variable, source: CONFIG_VARIABLE };
}

interface Decision {
  readonly config?: Config;
  readonly problems: readonly Problem[];
}

function decide(raw: RawConfig, file: ConfigFile): Decision {
  const { success, data, error } = configSchema.safeParse(raw.table, { jitless: true });
  const readable = file.problems.length === 0;
  if (success) return { config: data, problems: readable ? conflictsIn(data, raw, [], (path) => path) : [] };
  const refusals = refusalsOf(error.issues);
  // What is missing may stand in the file that could not be read.
  const told = readable ? refusals : refusals.filter(({ path }) => valueAt(raw.table, path) !== undefined);
  const problems = told.map((refusal) => problemOfRefusal(refusal, raw));
  return { problems: readable ? [...problems, ...furtherConflicts(raw, refusals)] : problems };
}

/** So that one slip does not hide that two other keys do not go together. */
function furtherConflicts(raw: RawConfig, refusals: readonly Refusal[]): Problem[] {
  const refused = refusals.map(({ path }) => path);
  const rest = salvage(raw.table, refused);
  return rest === undefined ? [] : conflictsIn(rest.config, raw, refused, rest.before);
}

function conflictsIn(
  config: Config,
  raw: RawConfig,
  refused: readonly Path[],
  before: (path: Path) => Path,
): Problem[] {
  const conflicts = allChecks.flatMap((check) => [...check(config)]);
  return conflicts.flatMap((conflict) => {
    const concerned = [conflict.path, ...conflict.others].map(before);
    if (concerned.some((path) => refused.some((other) => touches(path, other)))) return [];
    return [problemOfRefusal({ path: before(conflict.path), expected: conflict.expected }, raw)];
  });
}

/** Whether one place holds the other, or is it. */
function touches(one: Path, other: Path): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return short.every((segment, at) => segment === long[at]);
}

/** One layer that gives a word and a table of its place at once cannot mean both. */
function overlapping(assignments: readonly Assignment[]): Problem[] {
  return assignments.flatMap(({ path, source }) => {
    const inside = assignments.find((other) => other.path.length > path.length && touches(path, other.path));
    if (inside === undefined) return [];
    const expected = `expected ${source.name} or ${inside.source.name}, not both`;
    return [{ key: path.join('.'), source: source.name, found: undefined, expected, nearest: undefined }];
  });
}

/** Absolute paths, and `url` as browsers write an origin. A program without a slash is found through `PATH`. */
function settle(config: Config, cwd: string): Config {
  const { tls } = config;
  return {
    ...config,
    url: new URL(config.url).origin,
    devices: {
      ...config.devices,
      base: config.devices.base ?? usualDeviceBase(config),
      relay_url: new URL(config.devices.relay_url ?? config.url).origin,
    },
    data_dir: resolve(cwd, config.data_dir),
    mcp: config.mcp.map((backend) => ({
      ...backend,
      command: backend.command?.map((word, at) =>
        at === 0 && word.includes('/') ? resolve(cwd, word) : word,
      ),
      cache: backend.cache === undefined ? undefined : resolve(cwd, backend.cache),
    })),
    mcp_server: { ...config.mcp_server, hide: config.mcp_server.hide.map((path) => resolve(cwd, path)) },
    redis: { ...config.redis, tls: config.redis.tls && absolute(config.redis.tls, cwd) },
    tls: typeof tls === 'object' ? { cert: resolve(cwd, tls.cert), key: resolve(cwd, tls.key) } : tls,
  };
}

/** Absolute paths of the files of `redis.tls`. */
function absolute(tls: NonNullable<RedisConfig['tls']>, cwd: string): NonNullable<RedisConfig['tls']> {
  const pathOf = (path: string | undefined) => (path === undefined ? undefined : resolve(cwd, path));
  return { ...tls, ca: pathOf(tls.ca), cert: pathOf(tls.cert), key: pathOf(tls.key) };
}
