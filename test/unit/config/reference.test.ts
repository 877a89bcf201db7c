import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DOCUMENTED_SECRETS } from '../../../src/config/documented-secrets.ts';
import { secretFault } from '../../../src/config/faults.ts';
import { knownKeys } from '../../../src/config/known-keys.ts';
import { environmentName, isNameable } from '../../../src/config/names.ts';
import { configurationReference } from '../../../src/config/reference.ts';
import { configDirectory } from '../../support/config-directory.ts';

const TOP = join(import.meta.dir, '..', '..', '..');

test('docs/configuration.md is current (otherwise: bun scripts/configuration-reference.ts)', () => {
  expect(readFileSync(join(TOP, 'docs', 'configuration.md'), 'utf8')).toBe(configurationReference());
});

test('it has the variable of every key', () => {
  const page = configurationReference();
  for (const { path } of knownKeys().filter(isNameable)) {
    expect(page).toContain(`\`${environmentName(path).replace('*', '<NAME>')}\``);
  }
});

test('its example is accepted', () => {
  const [, example = ''] = /```toml\n(url = [^]*?)```/.exec(configurationReference()) ?? [];
  using directory = configDirectory(example);
  const { provider, forward_auth } = directory.load({ env: { POSTERN_PROVIDER_HOME_CLIENT_SECRET: 'x' } });
  expect(provider.map(({ name }) => name)).toEqual(['home']);
  expect(forward_auth.rule).toHaveLength(1);
});

test('a secret that stands in the documentation is refused', () => {
  const pages = ['*.md', 'docs/**/*.md'].flatMap((pattern) => [
    ...new Bun.Glob(pattern).scanSync({ cwd: TOP }),
  ]);
  const shown = pages.flatMap((page) => secretsIn(readFileSync(join(TOP, page), 'utf8')));
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.filter((secret) => secretFault(secret) === undefined)).toEqual([]);
  expect(shown).toEqual(expect.arrayContaining([...DOCUMENTED_SECRETS]));
});

/** Values of `secret`, `previous_secrets` and their variables, quoted or not. */
function secretsIn(page: string): string[] {
  const assignments = page.matchAll(
    /\b(?:secret|previous_secrets|POSTERN_SECRET|POSTERN_PREVIOUS_SECRETS)\s*[=:]\s*(.+)/g,
  );
  return [...assignments].flatMap(([, rest = '']) => {
    const quoted = [...rest.matchAll(/["']([^"']+)["']/g)].map(([, value = '']) => value);
    return quoted.length > 0 ? quoted : [rest.trim()];
  });
}
