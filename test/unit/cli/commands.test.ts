import { describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { findCommand } from '../../../src/cli/find-command.ts';
import { helpFor } from '../../../src/cli/help.ts';
import { run } from '../../../src/cli/run.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { recordingIo } from '../../support/recording-io.ts';

describe('finding a command', () => {
  test.each([
    [[], 'serve', []],
    [['--data-dir', 'x'], 'serve', ['--data-dir', 'x']],
    [['user', 'list', '--json'], 'user list', ['--json']],
    [['agent'], 'agent', []],
    [['agent', '--join', 'x'], 'agent', ['--join', 'x']],
    [['agent', 'status', '--json'], 'agent status', ['--json']],
    [['-h'], 'help', []],
    [['--version'], 'version', []],
    [['user', '--help'], 'help', ['user']],
  ])('%p', (argv, name, rest) => {
    const found = findCommand(argv);
    expect([found.command.name, [...found.rest]]).toEqual([name, rest]);
  });

  test.each([
    [['servee'], 'Did you mean "serve"?'],
    [['user', 'lst'], 'Did you mean "user list"?'],
    [['qqqqqqqq'], 'there is no command "qqqqqqqq"\nSee: postern help'],
    [['user'], '"user" says not what to do\nSee: postern help user'],
  ])('%p is wrong use', (argv, message) => {
    expect(() => findCommand(argv)).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) }),
    );
  });
});

describe('help', () => {
  test('names every command that people run', () => {
    const overview = helpFor([]);
    for (const { name } of COMMANDS.filter(({ isHidden }) => isHidden !== true))
      expect(overview).toContain(`  ${name.split(' ')[0]} `);
  });

  test.each(COMMANDS.map(({ name }) => name))('%s has a page, by both ways to it', async (name) => {
    const io = recordingIo();
    expect(await run([...name.split(' '), '--help'], io)).toBe(0);
    expect(io.outText()).toBe(`${helpFor(name.split(' '))}\n`);
    expect(io.outText()).toStartWith(`Usage: postern ${name}`);
  });

  test.each(COMMANDS.map(({ name, load }) => [name, load] as const))(
    'the code of %s can be loaded',
    async (_, load) => {
      expect(await load()).toBeFunction();
    },
  );
});

describe('exit codes', () => {
  test('0 done', async () => {
    const io = recordingIo();
    expect(await run(['version'], io)).toBe(0);
    expect(io.outText()).toMatch(/^postern \d+\.\d+\.\d+/);
  });

  test('2 wrong use, told on standard error alone', async () => {
    const io = recordingIo();
    expect(await run(['help', 'nothing'], io)).toBe(2);
    expect(io.outText()).toBe('');
    expect(io.errText()).toStartWith('postern: there is no command "nothing"');
  });

  test('1 for what the system says, without a stack', async () => {
    const io = recordingIo();
    expect(await run(['backup', '/nonexistent/file', '--config', '/nonexistent/postern.toml'], io)).toBe(2);
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, 'postern.db'), 'x'.repeat(5000));
    const damaged = recordingIo({ workingDir: directory.path });
    expect(await run(['migrate', '--data-dir', '.'], damaged)).toBe(1);
    expect(damaged.errText()).toBe(
      'postern: file is not a database: the database is damaged; run `postern doctor`, and restore a backup\n',
    );
  });
});
