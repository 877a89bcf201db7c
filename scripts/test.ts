import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPeers } from './debian.ts';
import { installPackages } from './packages.ts';
import { bun, projectRoot, runStep } from './step.ts';
import { addTallies, formatTally, type Tally, tallyOf } from './tally.ts';

/**
 * `bun run test [path…]`: installs what the tests need, builds the binary for those that want it, runs them, and closes
 * with `N passed, N failed`. Paths narrow the run to files whose path contains one of them.
 */

interface Group {
  title: string;
  /** Whether a test file, by its path, is of this group; the first group that says so has it. */
  has: (file: string) => boolean;
  /** Files at once. Those that measure time or start browsers have the machine to themselves. */
  parallel: number;
}

const GROUPS: readonly Group[] = [
  {
    title: 'integration: real providers, proxies, a browser',
    has: (file) => file.startsWith('test/integration/'),
    parallel: 1,
  },
  { title: 'end to end: the compiled binary', has: (file) => file.startsWith('test/e2e/'), parallel: 1 },
  { title: 'units, contracts, fuzzing', has: () => true, parallel: 2 },
];

const TEST_TIMEOUT_MS = 30_000;

async function main(wanted: readonly string[]): Promise<Tally> {
  const broken: Tally = { passed: 0, failed: 1 };
  if (!(await installPackages())) return broken;
  if (!(await installPeers())) return broken;
  const files = testFiles(wanted);
  if (files.length === 0) {
    console.error(`no test file matches: ${wanted.join(' ')}`);
    return broken;
  }
  const needsBinary = files.some((file) => file.startsWith('test/e2e/'));
  if (needsBinary && !(await runStep({ title: 'building dist/postern', command: [bun, 'build.ts'] })))
    return broken;
  const tallies: Tally[] = [];
  for (const [group, paths] of grouped(files)) tallies.push(await runGroup(group, paths));
  return addTallies(tallies);
}

function testFiles(wanted: readonly string[]): string[] {
  const files = [...new Bun.Glob('test/**/*.test.ts').scanSync({ cwd: projectRoot })].sort();
  return files.filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
}

/** The quick ones first. */
function grouped(files: readonly string[]): [Group, string[]][] {
  const byGroup = Map.groupBy(files, (file) => GROUPS.find((group) => group.has(file)));
  return GROUPS.toReversed().flatMap((group) => {
    const paths = byGroup.get(group);
    return paths === undefined ? [] : [[group, paths]];
  });
}

async function runGroup({ title, parallel }: Group, paths: readonly string[]): Promise<Tally> {
  console.log(`\n· ${title} (${paths.length} ${paths.length === 1 ? 'file' : 'files'})`);
  const directory = mkdtempSync(join(tmpdir(), 'postern-report-'));
  const report = join(directory, 'junit.xml');
  const scheduling = parallel > 1 ? `--parallel=${parallel}` : '--isolate';
  const files = paths.map((path) => `./${path}`);
  const reporting = ['--reporter=junit', `--reporter-outfile=${report}`, `--timeout=${TEST_TIMEOUT_MS}`];
  try {
    const child = Bun.spawn([bun, 'test', scheduling, ...reporting, ...files], {
      cwd: projectRoot,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return tallyOf(report, await child.exited);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const tally = await main(process.argv.slice(2));
console.log(`\n${formatTally(tally)}`);
process.exitCode = tally.failed === 0 && tally.passed > 0 ? 0 : 1;
