import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const SOURCE = join(import.meta.dir, '..', '..', '..', 'src');
const transpiler = new Bun.Transpiler({ loader: 'ts' });

/** Everything that is loaded with a file, without what is imported on demand. */
function loadedWith(entry: string): { files: string[]; packages: string[] } {
  const [files, packages] = [new Set<string>(), new Set<string>()];
  const waiting = [join(SOURCE, entry)];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    if (!file.endsWith('.ts')) continue;
    for (const { kind, path } of transpiler.scanImports(readFileSync(file, 'utf8'))) {
      if (kind !== 'import-statement') continue;
      if (path.startsWith('.')) waiting.push(join(dirname(file), path));
      else packages.add(path);
    }
  }
  return { files: [...files].map((file) => relative(SOURCE, file)), packages: [...packages] };
}

test.each(['main.ts', 'app.ts', 'services.ts', 'cli/serve/serve.ts', 'cli/doctor/doctor.ts'])(
  '%s loads nothing of Redis by itself',
  (entry) => {
    const { files, packages } = loadedWith(entry);
    expect(files.length).toBeGreaterThan(0);
    expect(packages).not.toContain('ioredis');
    expect(files.filter((file) => file.endsWith('-redis.ts') && !file.startsWith('config/'))).toEqual([]);
    expect(files.filter((file) => file.startsWith('redis/') && file !== 'redis/place.ts')).toEqual([]);
  },
);

test('what is imported on demand does', () => {
  expect(loadedWith('redis/open.ts').packages).toContain('ioredis');
});
