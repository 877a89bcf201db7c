import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hiddenPaths, isBelow, isCovered } from '../../../src/mcp/hidden-paths.ts';
import { namedPaths, neededHome } from '../../../src/mcp/shown-paths.ts';

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

test('what stands in /tmp and in directories of the system is nowhere to be found anyway', () => {
  const hidden = hiddenPaths({ own: [], home: undefined });
  expect(['/tmp/x', '/run/x', '/tmp', '/srv/x', '/tmpx'].map((path) => isCovered(path, hidden))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

test('of what a command names, there is shown what would be covered, with what stands beside a program', () => {
  const root = realpathSync(mkdtempSync('/tmp/postern-test-'));
  try {
    for (const name of ['server.js', 'other.js']) writeFileSync(join(root, name), '');
    mkdirSync(join(root, 'files'));
    const hidden = hiddenPaths({ own: [], home: undefined });
    const argv = ['node', join(root, 'server.js'), join(root, 'missing'), '/etc/hosts', '/tmp', '--x=/tmp/x'];
    expect(namedPaths(argv, hidden)).toEqual([root]);
    expect(namedPaths(['ls', join(root, 'files')], hidden)).toEqual([join(root, 'files')]);
    expect(neededHome(argv, root)).toContain(join(root, 'other.js'));
    expect(neededHome(['node', '/etc/hosts'], root)).toEqual([]);
  } finally {
    rmSync(root, { recursive: true });
  }
});
