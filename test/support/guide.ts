import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const GUIDES = join(import.meta.dir, '..', '..', 'docs', 'guides');
const BLOCK = /^```(\w+) (\S+)\n(.*?)^```$/gms;

type Guide = 'nginx' | 'caddy' | 'traefik' | 'device-hosts' | 'two-nodes';

/** The files that a guide tells its reader to write, by the path that stands beside the language of each block. */
export function guideFiles(name: Guide): Map<string, string> {
  const text = readFileSync(join(GUIDES, `${name}.md`), 'utf8');
  return new Map([...text.matchAll(BLOCK)].map(([, , path = '', content = '']) => [path, content]));
}

/** One of them. @throws when the guide has no such file. */
export function guideFile(name: Guide, path: string): string {
  const content = guideFiles(name).get(path);
  if (content === undefined) throw new Error(`the guide for ${name} has no file ${path}`);
  return content;
}

/** Puts a test's own ports and paths in place of the guide's. @throws when one of them does not stand there. */
export function replaceAll(text: string, replacements: Readonly<Record<string, string>>): string {
  return Object.entries(replacements).reduce((rest, [from, to]) => {
    if (!rest.includes(from)) throw new Error(`the guide does not say ${from}`);
    return rest.replaceAll(from, to);
  }, text);
}
