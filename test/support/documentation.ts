import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const PROJECT = join(import.meta.dir, '..', '..');

/** One Markdown page of the project. */
export interface Page {
  /** From the top of the project. */
  readonly path: string;
  readonly text: string;
}

/** A fenced block of a page. */
export interface Block {
  readonly page: string;
  /** What stands behind the fence: a language, and sometimes the name of a file. */
  readonly info: string;
  readonly content: string;
}

/** The pages at the top and everything below `docs/`. */
export function pages(): Page[] {
  const paths = ['*.md', 'docs/**/*.md'].flatMap((pattern) => [
    ...new Bun.Glob(pattern).scanSync({ cwd: PROJECT }),
  ]);
  return paths.toSorted().map((path) => ({ path, text: readFileSync(join(PROJECT, path), 'utf8') }));
}

export function page(path: string): Page {
  return { path, text: readFileSync(join(PROJECT, path), 'utf8') };
}

/** The fenced blocks of a page in one language. */
export function blocks({ path, text }: Page, language: string): Block[] {
  return [...text.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)]
    .map(([, info = '', content = '']) => ({ page: path, info: info.trim(), content }))
    .filter(({ info }) => info.split(' ')[0] === language);
}

/** A page without its fenced blocks. */
export function prose({ text }: Page): string {
  return text.replaceAll(/^```.*?^```$/gms, '');
}

/** Code names in backquotes that begin a row of a table, from the section under a heading to the next of its rank. */
export function tableNames(from: Page, heading: string): string[] {
  const lines = section(from, heading).split('\n');
  return lines.flatMap((line) => {
    const cell = /^\| (`[^|]*)\|/.exec(line)?.[1] ?? '';
    return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
  });
}

/** What stands under a heading. @throws when the page has no such heading. */
export function section({ path, text }: Page, heading: string): string {
  const [, rank = '##'] = new RegExp(`^(#+) ${RegExp.escape(heading)}$`, 'm').exec(text) ?? [];
  const start = text.indexOf(`\n${rank} ${heading}\n`);
  if (start === -1) throw new Error(`${path} has no heading "${heading}"`);
  const rest = text.slice(start + rank.length + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${rank.length}} `, 'm'));
  return end === -1 ? rest : rest.slice(0, end);
}
