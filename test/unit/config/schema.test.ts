import { describe, expect, test } from 'bun:test';
import { knownEntries, knownKeys } from '../../../src/config/known-keys.ts';
import {
  environmentName,
  flagName,
  isNameable,
  keyOfEnvironmentName,
  keyOfFlagName,
} from '../../../src/config/names.ts';
import { configSchema } from '../../../src/config/schema.ts';

const WRONG = [null, true, 5, 'x y\n', '', [], [5], [[]], {}, { x: 1 }, new Date(0)];

/** What the validator says by itself is about its own types, in its own words. */
const ITS_OWN_WORDS =
  /invalid|received|too (?:small|big)|unrecognized|expected (?:string|number|array|object|boolean|one of)/i;

describe('what the schema says to a wrong value is in our words', () => {
  test.each(
    knownEntries()
      .map(({ path }) => path)
      .filter((path) => path.length > 0),
  )('%s', (...path) => {
    for (const value of WRONG) {
      const { error } = configSchema.safeParse(at(path, value));
      for (const issue of error?.issues ?? []) {
        if (issue.code !== 'unrecognized_keys') expect(issue.message).not.toMatch(ITS_OWN_WORDS);
      }
    }
  });

  test('also to a missing one', () => {
    const { error } = configSchema.safeParse({ provider: [{}], forward_auth: { rule: [{}] }, tls: {} });
    expect(
      error?.issues.map(({ message }) => message).filter((message) => ITS_OWN_WORDS.test(message)),
    ).toEqual([]);
  });
});

/** A configuration that has `value` at a path and nothing else. */
function at(path: readonly string[], value: unknown): unknown {
  return path.reduceRight((inner, name) => (name === '*' ? [inner] : { [name]: inner }), value);
}

describe('every key', () => {
  test('has a description', () => {
    expect(knownKeys().filter(({ description }) => description === '')).toEqual([]);
  });

  test('has a name of its own in the environment, which no file variable can be taken for', () => {
    const names = knownKeys()
      .filter(isNameable)
      .map(({ path }) => environmentName(path));
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.endsWith('_FILE'))).toEqual([]);
    expect(names).not.toContain('POSTERN_CONFIG');
  });

  test.each(
    knownKeys()
      .filter(isNameable)
      .map(({ path }) => path),
  )('is found by its names: %s', (...pattern) => {
    const path = pattern.map((segment) => (segment === '*' ? 'home-lab' : segment));
    const key = expect.objectContaining({ path: pattern });
    expect(keyOfEnvironmentName(environmentName(path))).toEqual({ key, path });
    expect(keyOfFlagName(flagName(path).slice(2))).toEqual({ key, path });
  });
});
