import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { statusOf } from '../../../src/http/problem.ts';
import type { ErrorKind } from '../../../src/lib/app-error.ts';
import { PROJECT, page } from '../../support/documentation.ts';

/** `code` → statuses, as the source text has them. */
function codesOfSource(): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>([['internal_error', new Set([500])]]);
  const add = (code: string, kind: string) => {
    found.set(code, (found.get(code) ?? new Set()).add(statusOf(kind as ErrorKind)));
  };
  for (const path of new Bun.Glob('src/**/*.ts').scanSync({ cwd: PROJECT })) {
    const text = readFileSync(join(PROJECT, path), 'utf8');
    for (const [, kind = '', code = ''] of text.matchAll(/new AppError\(\s*'(\w+)',\s*'(\w+)'/g))
      add(code, kind);
    if (!path.endsWith('guard-refusals.ts')) continue;
    for (const [, code = '', kind = ''] of text.matchAll(/^ {2}(\w+): \[\s*'(\w+)'/gm)) add(code, kind);
  }
  return found;
}

/** The same, as the page has them. */
function codesOfPage(): Map<string, Set<number>> {
  const rows = page('docs/errors.md').text.matchAll(/^\| (`[^|]+) \| ([\d, ]+) \|/gm);
  return new Map(
    [...rows].flatMap(([, names = '', statuses = '']) =>
      [...names.matchAll(/`(\w+)`/g)].map(
        ([, code = '']) => [code, new Set(statuses.split(',').map(Number))] as const,
      ),
    ),
  );
}

test('docs/errors.md has every error code there is with its statuses, and no other', () => {
  const sorted = (codes: Map<string, Set<number>>) =>
    [...codes]
      .map(([code, statuses]) => `${code} ${[...statuses].toSorted((a, b) => a - b).join(' ')}`)
      .toSorted();
  const source = sorted(codesOfSource());
  expect(source.length).toBeGreaterThan(50);
  expect(sorted(codesOfPage())).toEqual(source);
});
