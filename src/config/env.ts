import { resolve } from 'node:path';
import { type Assignment, type Source, valueOfText } from './assignment.ts';
import { ENVIRONMENT_PREFIX, keyOfEnvironmentName, type NamedKey, nearestEnvironmentName } from './names.ts';
import { type Problem, printable } from './problem.ts';
import { readText } from './read-text.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What is read from layers above the file, with what was wrong already. */
export interface Given {
  readonly assignments: readonly Assignment[];
  readonly problems: readonly Problem[];
}

/** Names the file; it is no key. */
export const CONFIG_VARIABLE = 'POSTERN_CONFIG';
/** What `postern connect` reads; on the machine of an appliance they are no slips. */
const OF_CONNECT: readonly string[] = ['POSTERN_TOKEN', 'POSTERN_SERVER'];
const FILE_SUFFIX = '_FILE';

/** Reads every `POSTERN_*` variable, and the files that `POSTERN_*_FILE` name. */
export function readEnvironment(env: Environment, cwd: string): Given {
  const assignments: Assignment[] = [];
  const problems: Problem[] = [];
  for (const [name, text] of variablesOf(env)) {
    const read = readVariable(name, text, env, cwd);
    if ('expected' in read) problems.push(read);
    else assignments.push(read);
  }
  return { assignments, problems };
}

/** The files that variables name to hold a value. */
export function namedFiles(env: Environment, cwd: string): string[] {
  return variablesOf(env)
    .filter(([name]) => keyOfEnvironmentName(name) === undefined && name.endsWith(FILE_SUFFIX))
    .map(([, path]) => resolve(cwd, path));
}

function variablesOf(env: Environment): [string, string][] {
  return Object.entries(env).flatMap(([name, text]): [string, string][] => {
    const ours =
      name.startsWith(ENVIRONMENT_PREFIX) && name !== CONFIG_VARIABLE && !OF_CONNECT.includes(name);
    return ours && text !== undefined && !isServiceLink(name, text) ? [[name, text]] : [];
  });
}

/** Kubernetes and Docker tell every program about a service named `postern` in variables that look like ours. */
function isServiceLink(name: string, text: string): boolean {
  const rest = name.slice(ENVIRONMENT_PREFIX.length);
  if (/^PORT(_\d+_(TCP|UDP|SCTP))?$/.test(rest)) return /^(tcp|udp|sctp):\/\//.test(text);
  return /^(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR))$/.test(rest);
}

function readVariable(name: string, text: string, env: Environment, cwd: string): Assignment | Problem {
  const direct = keyOfEnvironmentName(name);
  if (direct !== undefined) return assign(direct, text, { name });
  const base = name.slice(0, -FILE_SUFFIX.length);
  const named = name.endsWith(FILE_SUFFIX) ? keyOfEnvironmentName(base) : undefined;
  if (named === undefined) return unknownVariable(name);
  if (env[base] !== undefined) return complaint(named, name, `${base} or ${name}, not both`);
  if (named.key.file) return complaint(named, name, `${base}: its value is the name of a file already`);
  return readNamedFile(named, name, resolve(cwd, text));
}

function readNamedFile(named: NamedKey, name: string, path: string): Assignment | Problem {
  try {
    return assign(named, readText(path).replace(/\r?\n$/, ''), { name, hidden: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return complaint(named, name, `a file that can be read; ${reason}`);
  }
}

function assign(named: NamedKey, text: string, source: Source): Assignment {
  return { ...named, value: valueOfText(text, named.key), source };
}

function complaint({ path }: NamedKey, name: string, expected: string): Problem {
  return {
    key: path.join('.'),
    source: name,
    found: undefined,
    expected: `expected ${expected}`,
    nearest: undefined,
  };
}

function unknownVariable(name: string): Problem {
  const shown = printable(name);
  const ofFile = name.endsWith(FILE_SUFFIX)
    ? nearestEnvironmentName(name.slice(0, -FILE_SUFFIX.length))
    : undefined;
  const nearest = ofFile === undefined ? nearestEnvironmentName(name) : `${ofFile}${FILE_SUFFIX}`;
  return { key: shown, source: shown, found: undefined, expected: 'no key has this name', nearest };
}
