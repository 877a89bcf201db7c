import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { preparedConfig } from './scripts/prepared-config.ts';
import { recordProfile } from './scripts/profile.ts';

/**
 * `bun run build [--target linux-arm64] [--outfile dist/postern]`: one file with the runtime, the program and what it
 * serves. Nothing beside it is read: no `.env`, no `bunfig.toml`, no code made from strings.
 */

const TARGETS = [
  'linux-x64',
  'linux-arm64',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'windows-x64',
] as const;
type Target = (typeof TARGETS)[number];

/** How many times more often than usual a function has to run in a start before it is compiled to machine code. */
const START_JIT_POLICY = 32;

const { values } = parseArgs({
  options: { target: { type: 'string' }, outfile: { type: 'string' } },
  strict: true,
});
const target = values.target === undefined ? undefined : parseTarget(values.target);
const outfile = values.outfile ?? (target === undefined ? 'dist/postern' : `dist/postern-${target}`);

process.chdir(import.meta.dir);
mkdirSync('dist', { recursive: true });
const trial = `dist/.trial-${process.pid}`;
try {
  await compile({ outfile: trial });
  using profile = await recordProfile(join(import.meta.dir, trial));
  if (profile.path === undefined) console.log('no profile: the program did not run here');
  await compile({
    outfile,
    bytecodeOrder: profile.path ?? false,
    ...(target !== undefined && { target: `bun-${target}` }),
  });
} finally {
  rmSync(trial, { force: true });
}
const written = target?.startsWith('windows') === true ? `${outfile.replace(/\.exe$/, '')}.exe` : outfile;
console.log(`${written}: ${Math.round(statSync(written).size / 1_000_000)} MB`);

function compile(options: Partial<Bun.CompileBuildOptions>) {
  return Bun.build({
    entrypoints: ['./src/main.ts'],
    format: 'esm',
    // What is imported on demand is a chunk of its own, which a start does not look at.
    splitting: true,
    bytecode: true,
    // Identifiers stay: Elysia reads the names of parameters.
    minify: { syntax: true, whitespace: false, identifiers: false },
    define: {
      POSTERN_BUILD: JSON.stringify({ version: versionOfPackage(), commit: commitOfCheckout() }),
      ...preparedConfig(),
      // Otherwise the bundler writes "development" where libraries ask.
      'process.env.NODE_ENV': '"production"',
    },
    compile: {
      // Found beside the entry point at run time; styles and icons are imported as text.
      assets: ['./drizzle'],
      execArgv: ['--disallow-code-generation-from-strings=strict'],
      // Nearly all that a start runs, it runs once: compiling it to machine code takes longer. `endStart` ends this.
      jitPolicy: START_JIT_POLICY,
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
      ...options,
    },
  });
}

function parseTarget(text: string): Target {
  const known = TARGETS.find((each) => each === text);
  if (known !== undefined) return known;
  console.error(`unknown target ${text}; one of: ${TARGETS.join(', ')}`);
  process.exit(2);
}

function versionOfPackage(): string {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  return version;
}

/** A build from an archive has no commit. */
function commitOfCheckout(): string | undefined {
  const { exitCode, stdout } = Bun.spawnSync(['git', 'rev-parse', '--short=12', 'HEAD'], {
    stderr: 'ignore',
  });
  return exitCode === 0 ? stdout.toString().trim() : undefined;
}
