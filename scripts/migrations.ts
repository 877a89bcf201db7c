import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from './step.ts';

/** Whether the schema in `src/db/schema` is what the migrations lead to: drizzle-kit has nothing to add to a copy of them. */
const copy = mkdtempSync(join(tmpdir(), 'postern-migrations-'));
try {
  cpSync(join(projectRoot, 'drizzle'), copy, { recursive: true });
  const before = readdirSync(copy).length;
  const generate = ['generate', '--dialect=sqlite', '--schema=./src/db/schema/index.ts', `--out=${copy}`];
  const { exitCode, stderr } = Bun.spawnSync(
    [join(projectRoot, 'node_modules/.bin/drizzle-kit'), ...generate],
    {
      cwd: projectRoot,
      stdin: 'ignore',
    },
  );
  const upToDate = exitCode === 0 && readdirSync(copy).length === before;
  if (!upToDate)
    console.error(`${stderr.toString()}the schema has changed: bun run generate --name <what-changed>`);
  process.exitCode = upToDate ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
