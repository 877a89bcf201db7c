import { describe, expect, test } from 'bun:test';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAMS, type Workplace, workplace } from '../support/program.ts';
import { openTerminal } from '../support/terminal.ts';

const CTRL_C = '\u0003';
const READY = /Postern is ready at (\S+)/;

const serveInTerminal = (place: Workplace) =>
  openTerminal([...place.command, 'serve'], place.directory, place.env);

const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(' ');

describe.each(PROGRAMS)('in a terminal, %s', (_, command) => {
  test('the setup link is on the screen and in no file; Ctrl-C ends it with 0', async () => {
    await using place = workplace(command);
    await using terminal = serveInTerminal(place);
    expect(await terminal.shown(/(http\S+\/setup#\S{43})/)).toStartWith(`${place.url}/setup#`);
    expect(existsSync(join(place.dataDir, 'setup-link'))).toBe(false);
    expect(terminal.screen()).toContain(' INFO  forward-auth: off');
    terminal.type(CTRL_C);
    expect(await terminal.exited).toBe(0);
  });

  test('one Ctrl-C under "bun run" is one, although two signals come', async () => {
    await using place = workplace(command);
    const script = `exec ${quoted(place.command)} serve`;
    writeFileSync(join(place.directory, 'package.json'), JSON.stringify({ scripts: { start: script } }));
    await using terminal = openTerminal([process.execPath, 'run', 'start'], place.directory, place.env);
    await terminal.shown(READY);
    terminal.type(CTRL_C);
    await terminal.exited;
    expect(terminal.screen()).toContain('ended\r\n');
    expect(terminal.screen()).not.toContain('second signal');
  });

  test('closing it ends a server in the foreground', async () => {
    await using place = workplace(command);
    await using terminal = serveInTerminal(place);
    await terminal.shown(READY);
    terminal.close();
    expect(await terminal.exited).toBe(0);
  });

  test.each([
    ['&', (line: string) => `${line} & echo "pid=$!"\n`],
    ['nohup', (line: string) => `nohup ${line} >out.txt 2>&1 & echo "pid=$!"\n`],
  ])('closing it leaves a server that was started with %s', async (_how, line) => {
    await using place = workplace(command);
    await using terminal = openTerminal(['bash', '--norc', '-i'], place.directory, {
      ...place.env,
      HOME: place.directory,
    });
    terminal.type(line(`${quoted(place.command)} serve`));
    const pid = Number(await terminal.shown(/^pid=(\d+)/m));
    try {
      await healthy(place);
      terminal.close();
      await terminal.exited;
      expect(await place.run('user', 'list', '--json')).toMatchObject({ exitCode: 0, out: '[]\n' });
      expect(await place.run('healthcheck')).toMatchObject({ exitCode: 0 });
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  });
});

/** Asks until the server answers; the test's own timeout is the deadline. */
async function healthy(place: Workplace): Promise<void> {
  for (;;) {
    const { exitCode } = await place.run('healthcheck');
    if (exitCode === 0) return;
  }
}
