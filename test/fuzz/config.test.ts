import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { knownEntries, knownKeys } from '../../src/config/known-keys.ts';
import { environmentName, flagName } from '../../src/config/names.ts';
import { printConfig } from '../../src/config/print.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { configDirectory } from '../support/config-directory.ts';

/** Stands wherever a secret may stand or end up by a slip: it must never come out. */
const SECRET = 'hush-7Kq2';
const RUNS = 1500;

const named = (path: readonly string[]) => path.map((segment) => (segment === '*' ? 'home' : segment));
const secretKeys = knownKeys().filter(({ secret }) => secret);
const openKeys = knownKeys().filter(({ secret }) => !secret);

/** A name with one letter too many, too few, or another. */
const mistyped = (name: fc.Arbitrary<string>) =>
  fc.tuple(name, fc.nat(), fc.constantFrom('', 'x', 'xy')).map(([text, at, instead]) => {
    const place = at % text.length;
    return `${text.slice(0, place)}${instead}${text.slice(place + 1)}`;
  });

const scalar = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => JSON.stringify(text)),
  fc
    .constantFrom('5s', '0s', '/', '/a/../b', '127.0.0.1:1', '0.0.0.0:7400', '10.0.0.0/8', '::/0', 'everyone')
    .map((text) => JSON.stringify(text)),
  fc.webUrl().map((url) => JSON.stringify(url)),
  fc.constantFrom('true', 'false', 'nan', '-inf', '1e300', '2020-01-01', '0x1F', '-0', '""', "''"),
  fc.integer().map(String),
  fc.double().map(String),
);
const anyValue = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
  fc.constantFrom('{}', '[[]]', '{ emails = ["ada@example.com"] }', '{ x = { y = 1 } }'),
);

/** A secret as it should be written, and in all the ways that it should not. */
const secretValue = fc.constantFrom(
  `"${SECRET}"`,
  `"${SECRET}${'-'.repeat(40)}"`,
  SECRET,
  `"${SECRET}`,
  `${SECRET}"`,
  `"""${SECRET}\n"""`,
  `["${SECRET}"]`,
  `{ value = "${SECRET}" }`,
  `"${SECRET}" ${SECRET}`,
  `"\\q${SECRET}"`,
);

const keyName = fc.constantFrom(...openKeys.map(({ path }) => path.at(-1) ?? ''));
const heading = fc
  .constantFrom(
    ...knownEntries().flatMap(({ kind, path }) => (kind === 'table' && path.length > 0 ? [path] : [])),
  )
  .map((path) => {
    const name = path.filter((segment) => segment !== '*').join('.');
    return path.at(-1) === '*' ? `[[${name}]]` : `[${name}]`;
  });
const quoted = (name: fc.Arbitrary<string>) => name.map((text) => JSON.stringify(text));
const lines = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: heading },
    { weight: 6, arbitrary: fc.tuple(keyName, anyValue).map(([key, value]) => `${key} = ${value}`) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom('secret', 'client_secret', 'previous_secrets'), secretValue)
        .map((pair) => pair.join(' = ')),
    },
    { weight: 2, arbitrary: fc.tuple(quoted(mistyped(keyName)), anyValue).map((pair) => pair.join(' = ')) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('name = "home"', '[__proto__]', 'a.__proto__.b = 1', 'toString = 1'),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  ),
  { maxLength: 14 },
);

const wild = fc.string({ unit: 'binary', maxLength: 20 });
const variable = fc.oneof(
  fc.tuple(fc.constantFrom(...openKeys.map(({ path }) => environmentName(named(path)))), wild),
  fc.tuple(
    fc.constantFrom(...secretKeys.map(({ path }) => environmentName(named(path)))),
    fc.constant(SECRET),
  ),
  fc.tuple(
    fc.constantFrom(...knownKeys().map(({ path }) => `${environmentName(named(path))}_FILE`)),
    fc.constantFrom('given', 'missing', '.', ''),
  ),
  fc.tuple(
    mistyped(fc.constantFrom(...secretKeys.map(({ path }) => environmentName(named(path))))),
    fc.constant(SECRET),
  ),
  fc.tuple(
    wild.map((name) => `POSTERN_${name}`),
    fc.constant(SECRET),
  ),
);

const words = fc.oneof(
  fc.tuple(fc.constantFrom(...openKeys.map(({ path }) => flagName(named(path)))), wild),
  fc.tuple(fc.constantFrom(...secretKeys.map(({ path }) => flagName(named(path)))), fc.constant(SECRET)),
  fc.tuple(
    mistyped(fc.constantFrom(...secretKeys.map(({ path }) => flagName(named(path))))),
    fc.constant(SECRET),
  ),
  fc.constantFrom(
    [`--secret=${SECRET}`],
    [SECRET],
    ['--'],
    ['-x', SECRET],
    ['--demo'],
    ['--config', 'postern.toml'],
  ),
);

test('whatever is given is either understood or refused in words, and no secret comes out', () => {
  using directory = configDirectory();
  directory.write('given', SECRET);
  fc.assert(
    fc.property(
      lines,
      fc.array(variable, { maxLength: 4 }),
      fc.array(words, { maxLength: 3 }),
      (text, variables, flags) => {
        directory.write('postern.toml', text.join('\n'));
        const outcome = outcomeOf(() =>
          printConfig(directory.load({ env: Object.fromEntries(variables), argv: flags.flat() })),
        );
        expect(outcome).not.toContain(SECRET);
      },
    ),
    { numRuns: RUNS },
  );
}, 60_000);

test('whatever bytes are in the file', () => {
  using directory = configDirectory();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      directory.write('postern.toml', bytes);
      outcomeOf(() => directory.load());
    }),
  );
});

/** Everything that is said; anything thrown but a ConfigError fails the test. */
function outcomeOf(act: () => unknown): string {
  try {
    return String(act());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.exitCode).toBe(2);
    expect(error.problems.length).toBeGreaterThan(0);
    return `${error.message}\n${JSON.stringify(error.problems)}`;
  }
}
