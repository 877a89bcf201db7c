import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hiddenPaths, isBelow } from '../../../src/mcp/hidden-paths.ts';

const PROJECT = join(import.meta.dir, '..', '..', '..');

test('real paths, outermost alone, files apart from directories, nothing that is not there', () => {
  const root = realpathSync(mkdtempSync(join(PROJECT, '.test-hidden-')));
  try {
    for (const name of ['data', 'data/inside', 'home', 'home/.ssh']) mkdirSync(join(root, name));
    writeFileSync(join(root, 'postern.toml'), '');
    symlinkSync(join(root, 'data'), join(root, 'link'));
    const own = ['link', 'data/inside', 'postern.toml', 'missing'].map((name) => join(root, name));
    const { directories, files } = hiddenPaths({ own, home: join(root, 'home') });
    expect(directories.filter((path) => isBelow(path, root))).toEqual([
      join(root, 'data'),
      join(root, 'home/.ssh'),
    ]);
    expect(files).toEqual([join(root, 'postern.toml')]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('what stands in the private /tmp is hidden already', () => {
  const { directories } = hiddenPaths({ own: ['/tmp'], home: undefined });
  expect(directories.some((path) => path.startsWith('/tmp/'))).toBe(false);
});
