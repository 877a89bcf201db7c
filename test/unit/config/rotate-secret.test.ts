import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PREVIOUS_SECRETS_FILE, SECRET_FILE } from '../../../src/config/secret-files.ts';
import { loadKeyRing, rotateKeptSecret } from '../../../src/config/secrets.ts';
import { CommandError } from '../../../src/lib/command-error.ts';
import { keyPurpose } from '../../../src/lib/key-ring.ts';
import { sealer } from '../../../src/lib/seal.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { recordedLog } from '../../support/silent-log.ts';

const PURPOSE = keyPurpose('test');
const GIVEN = 'a secret that somebody gave, long enough';

const configOf = (data_dir: string, secret?: string, previous_secrets: string[] = []) => ({
  data_dir,
  secret,
  previous_secrets,
});
const load = (data_dir: string, previous: string[] = []) =>
  loadKeyRing({ config: configOf(data_dir, undefined, previous), log: recordedLog() });
const keysOf = (ring: ReturnType<typeof load>) =>
  ring.keys(PURPOSE).map(({ bytes }) => Buffer.from(bytes).toString('hex'));
const refusalOf = (work: () => void) => {
  try {
    work();
  } catch (error) {
    if (error instanceof CommandError) return error;
  }
  throw new Error('it was not refused');
};

describe('a new secret', () => {
  test('comes first, at once and after a start; what the old one sealed opens', () => {
    using directory = temporaryDirectory();
    const ring = load(directory.path);
    const before = keysOf(ring);
    const box = sealer(ring, PURPOSE);
    const sealed = box.seal('kept', ['row']);
    for (let round = 1; round < 5; round++) {
      rotateKeptSecret(ring, configOf(directory.path));
      expect(keysOf(ring)).toHaveLength(round + 1);
      expect(keysOf(ring).at(-1)).toBe(before[0] ?? '');
      expect(keysOf(load(directory.path))).toEqual(keysOf(ring));
    }
    expect(box.open(sealed, ['row'])).toBe('kept');
    const again = box.seal('kept', ['row']);
    expect(sealer(load(directory.path), PURPOSE).open(again, ['row'])).toBe('kept');
    expect(Buffer.from(again, 'base64url')[0]).not.toBe(Buffer.from(sealed, 'base64url')[0]);
  });

  test('is private, and so are those before it; nothing else is left', () => {
    using directory = temporaryDirectory();
    rotateKeptSecret(load(directory.path), configOf(directory.path));
    expect(readdirSync(directory.path).toSorted()).toEqual([PREVIOUS_SECRETS_FILE, SECRET_FILE]);
    for (const name of [SECRET_FILE, PREVIOUS_SECRETS_FILE])
      expect(statSync(join(directory.path, name)).mode & 0o777).toBe(0o600);
  });

  test('does not take its place when the process dies in between: the old one goes on', () => {
    using directory = temporaryDirectory();
    const before = keysOf(load(directory.path));
    const secret = readFileSync(join(directory.path, SECRET_FILE), 'utf8');
    writeFileSync(join(directory.path, PREVIOUS_SECRETS_FILE), secret, { mode: 0o600 });
    writeFileSync(join(directory.path, 'previous-secrets.0aa4-x.tmp'), 'half');
    const ring = load(directory.path);
    expect(keysOf(ring)).toEqual(before);
    rotateKeptSecret(ring, configOf(directory.path));
    expect(keysOf(ring)).toHaveLength(2);
    expect(readdirSync(directory.path).toSorted()).toEqual([PREVIOUS_SECRETS_FILE, SECRET_FILE]);
  });

  test('is not made where the configuration holds it, or where there are too many', () => {
    using directory = temporaryDirectory();
    const ring = load(directory.path);
    const before = keysOf(ring);
    expect(refusalOf(() => rotateKeptSecret(ring, configOf(directory.path, GIVEN))).message).toContain(
      'keys reseal',
    );
    const many = Array.from({ length: 32 }, (_, index) => `an older secret, number ${index}, long enough\n`);
    writeFileSync(join(directory.path, PREVIOUS_SECRETS_FILE), many.join(''));
    expect(refusalOf(() => rotateKeptSecret(ring, configOf(directory.path))).message).toContain(
      'remove the last',
    );
    expect(keysOf(ring)).toEqual(before);
    expect(readdirSync(directory.path).toSorted()).toEqual([PREVIOUS_SECRETS_FILE, SECRET_FILE]);
  });

  test('is not made over a file of previous ones that is damaged', () => {
    using directory = temporaryDirectory();
    load(directory.path);
    writeFileSync(join(directory.path, PREVIOUS_SECRETS_FILE), 'short\n');
    expect(refusalOf(() => load(directory.path)).message).toContain('at least 32 bytes');
  });
});
