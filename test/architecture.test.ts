import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkArchitecture, type Sources, type Violation } from './support/architecture/check.ts';
import { layerOf } from './support/architecture/layers.ts';

const SOURCE_FOLDER = join(import.meta.dir, '..', 'src');

test('the sources hold the rules of the house', () => {
  const paths = [...new Bun.Glob('**/*.{ts,tsx}').scanSync({ cwd: SOURCE_FOLDER })];
  const sources = Object.fromEntries(
    paths.map((path) => [path, readFileSync(join(SOURCE_FOLDER, path), 'utf8')]),
  );
  expect(paths.length).toBeGreaterThan(0);
  expect(checkArchitecture(sources).map(describeViolation)).toEqual([]);
});

describe('a file’s place', () => {
  test.each([
    ['lib/clock.ts', 0],
    ['config/schema.ts', 1],
    ['sessions/model.ts', 1],
    ['db/schema/users.ts', 2],
    ['sessions/store.ts', 3],
    ['sessions/store-outbox.ts', 3],
    ['sign-in/callback.ts', 4],
    ['http/server.ts', 5],
    ['users/routes.ts', 6],
    ['sign-in/pages.ts', 6],
    ['web/pages/setup.ts', 6],
    ['services.ts', 7],
    ['services-redis.ts', 7],
    ['app.ts', 7],
    ['app-routes.ts', 7],
    ['cli/serve.ts', 8],
    ['main.ts', 8],
  ])('%s is in layer %i', (path, layer) => {
    expect(layerOf(path)).toBe(layer);
  });

  test('a folder that nobody gave a place is refused', () => {
    expectOnly({ 'gadgets/thing.ts': '' }, 'place', 'gadgets/thing.ts');
    expectOnly({ 'stray.ts': '' }, 'place', 'stray.ts');
  });
});

describe('imports', () => {
  test.each([
    ['a static import', `import { a } from '../http/server.ts';`],
    ['a type', `import type { A } from '../http/server.ts';`],
    ['a type in place', `export const a: import('../http/server.ts').A = 1;`],
    ['a re-export', `export * from "../http/server.ts";`],
    ['an import for its effect', `import '../http/server.ts';`],
    ['a lazy import', `const a = () => import('../http/server.ts');`],
    ['one over several lines', `import {\n  a,\n  b,\n} from '../http/server.ts';`],
  ])('of a higher layer are refused: %s', (_what, text) => {
    expectOnly({ 'users/people.ts': text, 'http/server.ts': '' }, 'layer', 'users/people.ts');
  });

  test('of the same layer or a lower one are fine', () => {
    const sources = {
      'users/people.ts': `import { s } from './store.ts'; import { r } from './rules.ts'; import { c } from '../lib/clock.ts';`,
      'users/store.ts': '',
      'users/rules.ts': '',
      'lib/clock.ts': '',
    };
    expect(checkArchitecture(sources)).toEqual([]);
  });

  test('of a later feature are refused, of an earlier one fine', () => {
    const files = { 'users/people.ts': '', 'sessions/cache.ts': '' };
    expectOnly(
      { ...files, 'users/people.ts': `import '../sessions/cache.ts';` },
      'feature order',
      'users/people.ts',
    );
    expect(checkArchitecture({ ...files, 'sessions/cache.ts': `import '../users/people.ts';` })).toEqual([]);
  });

  test('in a circle are refused, unless a part of it does not happen at loading', () => {
    const circle = {
      'lib/a.ts': `import './b.ts';`,
      'lib/b.ts': `import { c } from './c.ts';`,
      'lib/c.ts': `import './a.ts';`,
    };
    expectOnly(circle, 'cycle');
    expect(checkArchitecture({ ...circle, 'lib/c.ts': `import type { A } from './a.ts';` })).toEqual([]);
    expect(checkArchitecture({ ...circle, 'lib/c.ts': `const a = () => import('./a.ts');` })).toEqual([]);
  });

  test('of a computed name are refused', () => {
    expectOnly({ 'lib/a.ts': 'const load = (name: string) => import(name);' }, 'computed import', 'lib/a.ts');
    expectOnly({ 'lib/a.ts': 'const b = await import(`./${name}.ts`);' }, 'computed import', 'lib/a.ts');
  });
});

describe('capabilities', () => {
  test.each([
    ['elysia', `import { Elysia } from 'elysia';`],
    ['elysia', `import type { Context } from 'elysia';`],
    ['elysia', `import { openapi } from '@elysiajs/openapi';`],
    ['SQL', `import { eq } from 'drizzle-orm';`],
    ['SQL', `import { drizzle } from 'drizzle-orm/bun-sqlite';`],
    ['SQL', `import type { Database } from 'bun:sqlite';`],
    ['Redis', `import { Redis } from 'ioredis';`],
    ['time', 'const now = Date.now();'],
    ['time', 'const now = new Date();'],
    ['time', 'const now = new Date;'],
    ['time', 'const text = Date();'],
    ['time', 'setTimeout(() => undefined, 1);'],
    ['time', 'const id = setInterval(run, 1_000);'],
    ['time', 'const at = performance.now();'],
    ['time', 'await Bun.sleep(5);'],
    ['time', 'const signal = AbortSignal.timeout(5);'],
    ['time', `import { setTimeout } from 'node:timers/promises';`],
    ['environment', `const home = process.env['HOME'];`],
    ['environment', `const home = Bun.env.HOME;`],
    ['environment', `const { env } = process;`],
    ['environment', `import { env } from 'node:process';`],
    ['child processes', `Bun.spawn(['ls']);`],
    ['child processes', `Bun.spawnSync(['ls']);`],
    ['child processes', 'await Bun.$`ls`;'],
    ['child processes', `import { spawn } from 'node:child_process';`],
    ['outbound HTTP', 'const answer = await fetch(url);'],
    ['outbound HTTP', 'fetch(url).then(read);'],
    ['outbound HTTP', 'const answer = ready ? fetch(url) : undefined;'],
    ['outbound HTTP', 'const read = () => fetch(url);'],
    ['outbound HTTP', 'const all = await Promise.all([one, fetch(url)]);'],
    ['outbound HTTP', 'const client = connect({ fetch: fetch });'],
    ['outbound HTTP', 'await globalThis.fetch(url);'],
    ['outbound HTTP', `import { request } from 'node:https';`],
    ['weak randomness', 'const dice = Math.random();'],
    ['console', `console.log('here');`],
    ['exit code', 'process.exit(1);'],
    ['exit code', 'process.exitCode = 1;'],
    ['code from strings', `const f = new Function('return 1');`],
    ['code from strings', `eval('1');`],
    ['values of the module "bun"', `import { spawn } from 'bun';`],
  ])('%s is confined: %s', (name, text) => {
    const violations = checkArchitecture({ 'users/people.ts': text });
    expect(violations.length).toBeGreaterThan(0);
    for (const { rule, detail } of violations) {
      expect(rule).toBe('capability');
      expect(detail).toStartWith(`${name}: uses `);
    }
  });

  test.each([
    ['sessions/routes.ts', `import { Elysia } from 'elysia';`],
    ['http/server.ts', `import { Elysia } from 'elysia';`],
    ['db/open.ts', `import { Database } from 'bun:sqlite';`],
    ['audit/store.ts', `import { eq } from 'drizzle-orm';`],
    ['sessions/store-redis.ts', `import { Redis } from 'ioredis';`],
    ['lib/clock.ts', 'const now = Date.now(); setTimeout(run, 1);'],
    ['config/load.ts', `const home = process.env['HOME'];`],
    ['lib/safe-fetch.ts', 'await fetch(url);'],
    ['cli/serve.ts', `console.log('here');`],
    ['main.ts', 'process.exitCode = 1;'],
  ])('%s may: %s', (file, text) => {
    expect(checkArchitecture({ [file]: text })).toEqual([]);
  });

  test.each([
    ['in comments', '// Date.now() is elsewhere\n/* process.env\n too */'],
    ['in strings', `const a = 'Date.now()', b = "it's fetch(x)", c = 'a \\' process.env';`],
    ['in templates', 'const a = `Date.now() ${`eval(1)`} process.env`;'],
    ['in regular expressions', `const a = /['"]Date.now()[/'"]/.test(b); const c = d / e;`],
    ['of dates that are given', 'const text = new Date(clock.now()).toISOString();'],
    ['of other things called fetch', 'const answer = await app.fetch(request); const { fetch } = server;'],
    ['of handlers called fetch', 'Bun.serve({ port, async fetch(request) { return answer(request); } });'],
    [
      'of methods called fetch',
      'Bun.serve({ fetch(request: Request): Response { return answer(request); }, port });',
    ],
    ['of types of bun', `import type { Server } from 'bun';`],
  ])('words %s do not count', (_where, text) => {
    expect(checkArchitecture({ 'users/people.ts': text })).toEqual([]);
  });

  test('code inside a template does count', () => {
    const text = 'const a = `at ${{ now: Date.now() }.now} ms`; // it’s late';
    expectOnly({ 'users/people.ts': text }, 'capability', 'users/people.ts');
  });

  test('code after a string with a quote or a slash in it does count', () => {
    const text = `const a = "it's", b = '/*', c = /"\\/[/"]/; const now = Date.now();`;
    expectOnly({ 'users/people.ts': text }, 'capability', 'users/people.ts');
  });
});

function expectOnly(sources: Sources, rule: Violation['rule'], file?: string): void {
  const violations = checkArchitecture(sources);
  expect(violations.map(describeViolation)).toHaveLength(1);
  expect(violations[0]).toMatchObject(file === undefined ? { rule } : { rule, file });
}

function describeViolation({ rule, file, detail }: Violation): string {
  return `${file}: ${rule}: ${detail}`;
}
