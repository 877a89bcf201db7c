import { installPackages } from './packages.ts';
import { bun, runStep, type Step } from './step.ts';

/** `bun run check`: everything a change has to pass, cheapest first. A step that fails does not hide the next. */

const tool = (name: string) => `node_modules/.bin/${name}`;

const STEPS: readonly Step[] = [
  { title: 'format', command: [tool('biome'), 'ci', '--linter-enabled=false', '.'] },
  { title: 'lint', command: [bun, 'run', 'lint'] },
  { title: 'types', command: [tool('tsc'), '-p', '.'] },
  { title: 'unused code', command: [tool('knip')] },
  { title: 'migrations match the schema', command: [bun, 'scripts/migrations.ts'] },
  { title: 'architecture', command: [bun, 'test', './test/architecture.test.ts'] },
  { title: 'tests', command: [bun, 'scripts/test.ts'], output: 'shown' },
];

const failed: string[] = [];
if (await installPackages()) {
  for (const step of STEPS) if (!(await runStep(step))) failed.push(step.title);
} else failed.push('npm packages');
console.log(failed.length === 0 ? 'check passed' : `check failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
