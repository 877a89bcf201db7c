import { describe, expect, test } from 'bun:test';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parseToml } from '../../../src/config/file.ts';
import { configDirectory } from '../../support/config-directory.ts';

describe('what is not TOML is refused with its line, and without what stands there', () => {
  test.each([
    ['demo = true\nsecret = hush\n', 2, 'strings must be quoted'],
    ['secret = "hush\ndemo = true', 1, 'unterminated string'],
    ['demo = true\n\nsecret = """\nhush\n\n\n', 3, 'unterminated string'],
    ['demo = true\n[log]\nlevel = "info"\n[log]\n', 4, "cannot redefine table 'log'"],
    ['demo = true\ndemo = false', 2, "cannot redefine key 'demo'"],
    ['[log\n', 1, "expected ']' to close a table header"],
    ['trusted_proxies = [\n "10.0.0.1",\n hush\n]', 3, 'strings must be quoted'],
    ['secret = "a" hush', 1, 'expected a newline'],
    ['secret = hush"hush', 1, ''],
    ['# only\n# comments\n= 5', 3, 'expected a key'],
  ])('%j', (text, line, complaint) => {
    const parsed = parseToml(text);
    expect(parsed).toMatchObject({ line, complaint: expect.stringContaining(complaint) });
    expect(JSON.stringify(parsed)).not.toContain('hush');
  });

  test('as a problem of the file', () => {
    using directory = configDirectory('demo = true\nsecret = hush');
    const error = directory.refusal();
    expect(error.problems.map(({ key }) => key)).toEqual([`${directory.path}/postern.toml:2`]);
    expect(error.message).not.toContain('hush');
  });

  test('beside what is wrong elsewhere, but not beside what the file may hold', () => {
    using directory = configDirectory('[[provider]\nname = "home"');
    const env = {
      POSTERN_PROVIDER_HOME_CLIENT_SECRET: 'x',
      POSTERN_DEMO: 'maybe',
      POSTERN_LISTEN: '0.0.0.0:1',
    };
    const keys = directory.refusal({ env }).problems.map(({ key }) => key);
    expect(keys).toEqual([`${directory.path}/postern.toml:1`, 'demo']);
  });
});

describe('a file that cannot be read is refused', () => {
  test('when --config names it', () => {
    using directory = configDirectory();
    const [problem] = directory.refusal({ argv: ['--config', 'other.toml'] }).problems;
    expect(problem).toMatchObject({ key: join(directory.path, 'other.toml'), source: '--config' });
    expect(problem?.expected).toContain('there is no such file');
  });

  test.each(['other.toml', ''])('when POSTERN_CONFIG names it: %j', (name) => {
    using directory = configDirectory();
    expect(directory.refusal({ env: { POSTERN_CONFIG: name } }).problems[0]).toMatchObject({
      source: 'POSTERN_CONFIG',
    });
  });

  test('when a directory has its name', () => {
    using directory = configDirectory();
    mkdirSync(join(directory.path, 'postern.toml'));
    expect(directory.refusal().problems[0]?.expected).toContain('it is a directory');
  });

  test('when links lead nowhere', () => {
    using directory = configDirectory();
    symlinkSync('postern.toml', join(directory.path, 'loop.toml'));
    symlinkSync('loop.toml', join(directory.path, 'postern.toml'));
    const [problem] = directory.refusal({ argv: ['--config=loop.toml'] }).problems;
    expect(problem?.expected).toContain('the system says ELOOP');
  });

  test('when it is not text', () => {
    using directory = configDirectory();
    directory.write('postern.toml', Uint8Array.of(0x61, 0xff));
    expect(directory.refusal().problems[0]?.expected).toContain('not UTF-8');
  });
});
