import { describe, expect, test } from 'bun:test';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECRET_FILE } from '../../../src/config/secret-files.ts';
import { loadKeyRing } from '../../../src/config/secrets.ts';
import { CommandError } from '../../../src/lib/command-error.ts';
import { keyPurpose, keyRing } from '../../../src/lib/key-ring.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { recordedLog } from '../../support/silent-log.ts';

const PURPOSE = keyPurpose('test');
const GIVEN = 'a secret that somebody gave, long enough';

interface Given {
  secret?: string;
  previous?: string[];
  log?: ReturnType<typeof recordedLog>;
}

function load(dataDir: string, { secret, previous = [], log = recordedLog() }: Given = {}) {
  return loadKeyRing({ config: { data_dir: dataDir, secret, previous_secrets: previous }, log }).keys(
    PURPOSE,
  );
}

describe('a secret that nobody gave', () => {
  test('is made once, for its owner alone, and nothing is left beside it', () => {
    using directory = temporaryDirectory();
    const first = load(directory.path);
    expect(load(directory.path)).toEqual(first);
    expect(readdirSync(directory.path)).toEqual([SECRET_FILE]);
    expect(statSync(join(directory.path, SECRET_FILE)).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(directory.path, SECRET_FILE), 'utf8')).toMatch(/^[\w-]{43}\n$/);
  });

  test('differs from directory to directory', () => {
    using one = temporaryDirectory();
    using other = temporaryDirectory();
    expect(load(one.path)).not.toEqual(load(other.path));
  });

  test('can be moved into the configuration', () => {
    using directory = temporaryDirectory();
    const made = load(directory.path);
    const secret = readFileSync(join(directory.path, SECRET_FILE), 'utf8').trim();
    expect(load('/nowhere', { secret })).toEqual(made);
    expect(load('/nowhere', { secret: GIVEN, previous: [secret] })[1]).toEqual(made[0]);
  });

  test('is never shown in the log', () => {
    using directory = temporaryDirectory();
    const log = recordedLog();
    load(directory.path, { log });
    expect(log.lines).toHaveLength(1);
    expect(JSON.stringify(log.lines)).not.toContain(
      readFileSync(join(directory.path, SECRET_FILE), 'utf8').trim(),
    );
  });

  test('shares its key id with none of those before it', () => {
    const previous = Array.from(
      { length: 24 },
      (_, index) => `a previous secret, number ${index}, long enough`,
    );
    const distinct = previous.filter(
      (each, index) => previous.findIndex((other) => idOf(other) === idOf(each)) === index,
    );
    for (let round = 0; round < 20; round++) {
      using directory = temporaryDirectory();
      expect(load(directory.path, { previous: distinct })).toHaveLength(distinct.length + 1);
    }
  });

  test('has the leftovers of a start that died swept away', () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, 'secret.0aa4-x.tmp'), 'half');
    writeFileSync(join(directory.path, 'secret.tmp.txt'), 'somebody else’s');
    load(directory.path);
    expect(readdirSync(directory.path).sort()).toEqual([SECRET_FILE, 'secret.tmp.txt']);
  });

  test('is made private again, with a warning, when others can read it', () => {
    using directory = temporaryDirectory();
    load(directory.path);
    chmodSync(join(directory.path, SECRET_FILE), 0o644);
    const log = recordedLog();
    load(directory.path, { log });
    expect(log.lines.map(({ level }) => level)).toEqual(['warn']);
    expect(statSync(join(directory.path, SECRET_FILE)).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['', 'at least 32 bytes'],
    ['damaged\n', 'at least 32 bytes'],
    ['at-least-32-random-bytes-of-your-own\n', 'documentation'],
  ])('is not replaced when its file is damaged: %j', (content, complaint) => {
    using directory = temporaryDirectory();
    const path = join(directory.path, SECRET_FILE);
    writeFileSync(path, content, { mode: 0o600 });
    const error = refusalOf(() => load(directory.path));
    expect(error).toMatchObject({ exitCode: 1, message: expect.stringContaining(complaint) });
    expect(readFileSync(path, 'utf8')).toBe(content);
  });

  test.each(['/nowhere/at/all', '/proc', '/dev/null'])('cannot be made in %s', (place) => {
    expect(refusalOf(() => load(place)).exitCode).toBe(1);
  });

  test('is the same for all who start at once', async () => {
    using directory = temporaryDirectory();
    const script = `
      import { loadKeyRing } from ${JSON.stringify(join(import.meta.dir, '../../../src/config/secrets.ts'))};
      const log = { info() {}, warn() {} };
      const ring = loadKeyRing({ config: { data_dir: process.argv[1], secret: undefined, previous_secrets: [] }, log });
      console.log(Buffer.from(ring.keys('test')[0].bytes).toString('hex'));
    `;
    const starts = Array.from({ length: 6 }, () =>
      Bun.spawn([process.execPath, '-e', script, directory.path], { stdout: 'pipe', stderr: 'inherit' }),
    );
    const keys = await Promise.all(starts.map((start) => start.stdout.text()));
    expect(keys[0]).toMatch(/^[0-9a-f]{64}\n$/);
    expect(new Set(keys).size).toBe(1);
    expect(readdirSync(directory.path)).toEqual([SECRET_FILE]);
  });
});

describe('a secret that was given', () => {
  test('leaves the data directory alone', () => {
    using directory = temporaryDirectory();
    load(directory.path, { secret: GIVEN });
    expect(readdirSync(directory.path)).toEqual([]);
  });

  test('is refused when it shares its key id with another', () => {
    const others = Array.from({ length: 2000 }, (_, index) => `another secret, number ${index}, long enough`);
    const clash = others.find((other) => idOf(other) === idOf(GIVEN)) ?? '';
    const error = refusalOf(() => load('/nowhere', { secret: GIVEN, previous: [clash] }));
    expect(error.exitCode).toBe(2);
    expect(error.message).toContain('key id');
    expect(error.message).not.toContain(clash);
  });
});

function idOf(secret: string): number {
  return keyRing([new TextEncoder().encode(secret)]).keys(PURPOSE)[0].id;
}

function refusalOf(act: () => unknown): CommandError {
  try {
    act();
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}
