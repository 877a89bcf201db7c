import { expect, setDefaultTimeout, test } from 'bun:test';
import { chmodSync, chownSync, copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { binary } from '../support/appliance.ts';
import { temporaryDirectory } from '../support/database.ts';
import { loopbackSite } from '../support/loopback-site.ts';
import { startProgram } from '../support/program.ts';

setDefaultTimeout(60_000);

/** `nobody` of most systems: root may write whatever a mode says. */
const NOBODY = 65_534;
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const isRoot = process.getuid?.() === 0;

/** Hands a data directory to another user, but for the database. */
function handOver(dataDir: string): void {
  for (const name of ['', ...readdirSync(dataDir)]) {
    if (name !== 'postern.db') chownSync(join(dataDir, name), NOBODY, NOBODY);
  }
}

test('a database that may not be written to is refused at start, with what to do, and nothing is lost', async () => {
  using directory = temporaryDirectory();
  await using site = await loopbackSite({ directory: directory.path });
  const { appliance, owner } = site;
  await appliance.stop();
  const database = join(appliance.dataDir, 'postern.db');
  const before = await Bun.file(database).bytes();
  chmodSync(database, 0o444);
  chmodSync(directory.path, 0o755);
  if (isRoot) handOver(appliance.dataDir);
  const program = join(directory.path, 'postern');
  copyFileSync(binary(), program);

  for (const command of [['serve'], ['session', 'list'], ['reap']]) {
    const words = [...(isRoot ? AS_NOBODY : []), program, ...command];
    const { exitCode, err } = await startProgram(words, directory.path, {}).finished;
    expect([command, exitCode, err.trimEnd().split('\n').at(-1)]).toEqual([
      command,
      1,
      `postern: cannot write to ${database} (EACCES): let the user that postern runs as write to it`,
    ]);
  }
  expect(await Bun.file(database).bytes()).toEqual(before);
  chmodSync(database, 0o600);
  await appliance.start();
  expect((await owner.fetch(site.url('/api/v1/session'))).status).toBe(200);
});
