import { expect, test } from 'bun:test';
import { preparedConfig } from '../../../scripts/prepared-config.ts';
import { knownEntries } from '../../../src/config/known-keys.ts';
import { configSchema } from '../../../src/config/schema.ts';

const { POSTERN_USUAL_CONFIG = '', POSTERN_KNOWN_ENTRIES = '' } = preparedConfig();

test('the compiled file knows every default as the schema gives it', () => {
  expect(JSON.parse(POSTERN_USUAL_CONFIG)).toEqual(configSchema.parse({}));
});

test('the compiled file knows every key and table', () => {
  expect(JSON.parse(POSTERN_KNOWN_ENTRIES)).toEqual(knownEntries());
});

test('no default depends on where it was worked out', () => {
  const machine = [process.cwd(), process.env['HOME'], Bun.env['HOSTNAME']].filter(
    (each) => each !== undefined,
  );
  for (const each of machine.filter((text) => text.length > 1))
    expect(POSTERN_USUAL_CONFIG).not.toContain(each);
});
