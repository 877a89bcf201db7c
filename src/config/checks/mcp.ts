import { resolve } from 'node:path';
import { placeholdersIn } from '../faults-mcp.ts';
import type { Config, McpBackendConfig } from '../schema.ts';
import type { Check, Conflict } from './conflict.ts';

/** A check of each backend by itself. */
const eachBackend = (
  check: (
    backend: McpBackendConfig,
    config: Config,
  ) => Iterable<{ key: string | (string | number)[]; others?: string[]; expected: string }>,
): Check =>
  function* (config): Iterable<Conflict> {
    for (const [index, backend] of config.mcp.entries()) {
      for (const { key, others = [], expected } of check(backend, config)) {
        const at = ['mcp', index];
        yield {
          path: [...at, ...(typeof key === 'string' ? [key] : key)],
          others: others.map((other) => [...at, other]),
          expected,
        };
      }
    }
  };

export const mcpNamesDiffer: Check = function* ({ mcp }) {
  for (const [index, { name }] of mcp.entries()) {
    const first = mcp.findIndex((other) => other.name === name);
    if (first === index) continue;
    yield {
      path: ['mcp', index, 'name'],
      others: [['mcp', first, 'name']],
      expected: 'a name of its own; another backend has this one',
    };
  }
};

/** A backend is a program here or a server elsewhere. */
export const mcpHasOneTransport = eachBackend(function* ({ command, url }) {
  if (command === undefined && url === undefined)
    yield { key: 'command', others: ['url'], expected: 'a command, or a url' };
  if (command !== undefined && url !== undefined)
    yield { key: 'url', others: ['command'], expected: 'a command or a url, not both' };
});

/** What the other transport would not heed is a slip of the hand. */
export const mcpKeysFitTransport = eachBackend(function* ({ command, url, env, headers, cache }) {
  if (command === undefined && Object.keys(env).length > 0)
    yield { key: 'env', others: ['url'], expected: 'no env beside a url; credentials go into headers' };
  if (url === undefined && Object.keys(headers).length > 0)
    yield {
      key: 'headers',
      others: ['command'],
      expected: 'no headers beside a command; credentials go into env',
    };
  if (command === undefined && cache !== undefined)
    yield { key: 'cache', others: ['url'], expected: 'no cache beside a url' };
});

/** Isolated children find the data directory empty, and a `/tmp` and a `/run` of their own. */
export const mcpCachesStandApart = eachBackend(function* ({ cache }, { data_dir }) {
  if (cache === undefined) return;
  const path = resolve(cache);
  const hidden = [resolve(data_dir), '/tmp', '/var/tmp', '/run', '/dev', '/proc'];
  if (!hidden.some((each) => `${path}/`.startsWith(`${each}/`))) return;
  yield {
    key: 'cache',
    expected:
      'a directory outside the data directory and outside /tmp, /var/tmp, /run, /dev and /proc, which children do not share with anybody',
  };
});

export const mcpProvidersAreKnown = eachBackend(function* ({ provider: name }, { provider, upstream }) {
  if (name === undefined || [...provider, ...upstream.provider].some((each) => each.name === name)) return;
  yield { key: 'provider', expected: 'the name of a [[provider]] or [[upstream.provider]]' };
});

export const mcpTokensHaveProvider = eachBackend(function* ({ provider, env, headers }) {
  if (provider !== undefined) return;
  const texts = [...Object.values(env), ...Object.values(headers)];
  if (!texts.flatMap(placeholdersIn).includes('upstream.access_token')) return;
  yield {
    key: 'provider',
    others: ['env', 'headers'],
    expected: 'the provider whose tokens ${upstream.access_token} stands for',
  };
});

/** As for the rules of forward-auth: with several providers a bare subject could be somebody's namesake. */
export const mcpSubjectsNameProviders = eachBackend(function* ({ allow }, { provider }) {
  if (provider.length < 2 || typeof allow === 'string') return;
  for (const [at, subject] of allow.subjects.entries()) {
    if (provider.some(({ name }) => subject.startsWith(`${name}:`))) continue;
    yield {
      key: ['allow', 'subjects', at],
      expected: 'a subject behind the name of its provider, like "home:4711", because there are several',
    };
  }
});

/** A child that is not isolated reads the tokens of everybody: all who may use any command have to be one person. */
export const mcpIsolationProtects: Check = function* ({ mcp }) {
  const commands = mcp.filter(({ command }) => command !== undefined);
  const people = new Set(commands.flatMap(({ allow }) => peopleOf(allow)));
  if (people.size < 2 && !people.has(SEVERAL)) return;
  for (const [index, { command, isolation }] of mcp.entries()) {
    if (command === undefined || isolation !== 'none') continue;
    yield {
      path: ['mcp', index, 'isolation'],
      others: [['mcp', index, 'allow']],
      expected:
        'auto, because more than one person may use a backend with a command: without isolation a child can read everybody’s tokens',
    };
  }
};

const SEVERAL = 'several people';

function peopleOf(allow: McpBackendConfig['allow']): string[] {
  if (typeof allow === 'string' || allow.domains.length > 0 || allow.groups.length > 0) return [SEVERAL];
  return [...allow.subjects, ...allow.emails];
}
