import { parseArgs } from 'node:util';
import { type Benchmark, figuresAsJson, figuresAsTable } from './support/figures.ts';

/** `bun run bench NAME [--json]`: a table, or one JSON object as the last line. Progress goes to standard error. */

const SUFFIX = '.bench.ts';

const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true });
const names = [...new Bun.Glob(`*${SUFFIX}`).scanSync({ cwd: import.meta.dir })]
  .map((file) => file.slice(0, -SUFFIX.length))
  .sort();
const [name] = positionals;
if (name === undefined || positionals.length > 1 || !names.includes(name)) {
  console.error(`bun run bench NAME [--json]; one of: ${names.join(', ')}`);
  process.exit(2);
}

const { benchmark } = (await import(`./${name}${SUFFIX}`)) as { benchmark: Benchmark };
console.error(`${name}: ${benchmark.title}`);
const figures = await benchmark.run((line) => console.error(`· ${line}`));
console.log(values.json === true ? figuresAsJson(name, figures) : figuresAsTable(figures));
