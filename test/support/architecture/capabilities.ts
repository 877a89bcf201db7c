import { layerOf } from './layers.ts';

/** Something that only some files may use, and what to do instead. */
export interface Capability {
  name: string;
  /** Matches a module's name; importing its types counts too. */
  modules?: RegExp;
  typesAreFree?: boolean;
  /** Matches code, with comments and strings blanked. */
  code?: RegExp;
  mayUse: (path: string) => boolean;
  instead: string;
}

const nobody = () => false;
const only = (file: string) => (path: string) => path === file;
const below =
  (...folders: string[]) =>
  (path: string) =>
    folders.some((folder) => path.startsWith(`${folder}/`));
const httpLayers = (path: string) => [5, 6, 7].includes(layerOf(path) ?? -1);

/** The global `fetch`, called or handed on; members, methods and parameters of that name are other things. */
const FETCH = new RegExp(
  [
    /(?:[=(?:&|[!+>]|\b(?:return|await|void|yield))\s*fetch\s*\(/,
    /(?:^|[{},;])\s*fetch\s*\((?!(?:[^()]|\([^()]*\))*\)\s*[:{])/,
    /[=:(]\s*fetch\b(?!\s*[(:.])/,
    /\bglobalThis\s*\.\s*fetch\b/,
  ]
    .map(({ source }) => source)
    .join('|'),
);

const TIME = new RegExp(
  [
    /\bDate\s*\.\s*now\b/,
    /\bnew\s+Date\b\s*(?:\(\s*\)|(?![\s(]))/,
    /(?<![.\w]|\bnew\s+)Date\s*\(/,
    /\bset(?:Timeout|Interval)\b/,
    /\bperformance\s*\.\s*now\b/,
    /\bBun\s*\.\s*(?:sleep|sleepSync|nanoseconds|cron)\b/,
    /\bAbortSignal\s*\.\s*timeout\b/,
    /\bTemporal\s*\.\s*Now\b/,
  ]
    .map(({ source }) => source)
    .join('|'),
);

export const CAPABILITIES: readonly Capability[] = [
  {
    name: 'elysia',
    modules: /^(?:elysia|@elysiajs)(?:\/|$)/,
    mayUse: httpLayers,
    instead: 'keep HTTP in layers 5 to 7',
  },
  {
    name: 'SQL',
    modules: /^(?:drizzle-orm(?:\/.*)?|bun:sqlite)$/,
    mayUse: (path) => below('db')(path) || layerOf(path) === 3,
    instead: 'ask a store',
  },
  {
    name: 'Redis',
    modules: /^ioredis(?:\/|$)/,
    mayUse: (path) => below('redis')(path) || path.endsWith('-redis.ts'),
    instead: 'ask a store',
  },
  {
    name: 'time',
    modules: /^(?:node:)?timers(?:\/|$)/,
    code: TIME,
    mayUse: only('lib/clock.ts'),
    instead: 'take a Clock',
  },
  {
    name: 'environment',
    modules: /^(?:node:)?process$/,
    code: /\b(?:process|Bun|import\s*\.\s*meta)\s*\.\s*env\b|\benv\s*\}\s*=\s*(?:process|Bun)\b/,
    mayUse: below('config', 'cli'),
    instead: 'take what you need from the parsed configuration',
  },
  {
    name: 'child processes',
    modules: /^(?:node:)?child_process$/,
    code: /\bBun\s*\.\s*(?:spawn|spawnSync|\$)/,
    mayUse: only('mcp/child-process.ts'),
    instead: 'go through the one file that owns child processes',
  },
  {
    name: 'outbound HTTP',
    modules: /^(?:(?:node:)?https?2?|undici|axios|node-fetch)$/,
    code: FETCH,
    mayUse: only('lib/safe-fetch.ts'),
    instead: 'use lib/safe-fetch.ts',
  },
  { name: 'weak randomness', code: /\bMath\s*\.\s*random\b/, mayUse: nobody, instead: 'use lib/random.ts' },
  {
    name: 'console',
    code: /(?<![.\w$])console\s*\./,
    mayUse: (path) => below('cli')(path) || path === 'main.ts',
    instead: 'take a Logger',
  },
  {
    name: 'exit code',
    code: /\bprocess\s*\.\s*(?:exit|exitCode|abort|reallyExit)\b/,
    mayUse: only('main.ts'),
    instead: 'throw a CommandError',
  },
  {
    name: 'code from strings',
    modules: /^(?:node:)?(?:vm|repl|inspector)$/,
    code: /(?<![.\w$])eval\s*\(|\bnew\s+Function\b|(?<![.\w$])Function\s*\(/,
    mayUse: nobody,
    instead: 'the compiled file refuses to run it',
  },
  {
    // Its named exports would hide all of the above behind plain names.
    name: 'values of the module "bun"',
    modules: /^bun$/,
    typesAreFree: true,
    mayUse: nobody,
    instead: 'use the global Bun, which the other rules can see',
  },
];
