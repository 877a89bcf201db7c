import { expect, test } from 'bun:test';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { type Page, PROJECT, page, pages, prose } from '../../support/documentation.ts';

test('every relative link leads to something that is there', () => {
  const broken = pages().flatMap((from) =>
    links(from)
      .filter((link) => !leads(from, link))
      .map((link) => `${from.path}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test('every page of the documentation can be reached from the README', () => {
  const reached = new Set(['README.md']);
  for (const path of reached) {
    for (const link of links(page(path))) {
      const target = targetOf(path, link).file;
      if (target.endsWith('.md') && existsSync(join(PROJECT, target))) reached.add(target);
    }
  }
  const lost = pages().filter(({ path }) => !reached.has(path));
  expect(lost.map(({ path }) => path)).toEqual([]);
});

/** Targets of links and pictures that stay in the project. */
function links(from: Page): string[] {
  const found = [...prose(from).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return found.filter((target) => !/^[a-z][a-z+.-]*:/i.test(target));
}

function targetOf(path: string, link: string): { file: string; anchor: string | undefined } {
  const [file = '', anchor] = link.split('#');
  return { file: file === '' ? path : normalize(join(dirname(path), file)), anchor };
}

function leads(from: Page, link: string): boolean {
  const { file, anchor } = targetOf(from.path, link);
  const path = join(PROJECT, file);
  if (!existsSync(path)) return false;
  if (anchor === undefined || statSync(path).isDirectory()) return true;
  return anchorsOf(readFileSync(path, 'utf8')).includes(anchor);
}

/** Anchors of headings as forges make them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );
}
