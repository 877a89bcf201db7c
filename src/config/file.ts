import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Problem } from './problem.ts';
import { readText } from './read-text.ts';

export type RawTable = Record<string, unknown>;

/** The configuration file as it was read. */
export interface ConfigFile {
  /** Its path; `undefined` when there is none, which is fine unless one was asked for. */
  readonly path: string | undefined;
  /** Empty when there is no file, or none that could be read. */
  readonly table: RawTable;
  readonly problems: readonly Problem[];
}

const DEFAULT_NAME = 'postern.toml';

/** Reads the file that was asked for, or `postern.toml` of the working directory where there is one. */
export function readConfigFile(asked: { path: string; source: string } | undefined, cwd: string): ConfigFile {
  const path = resolve(cwd, asked?.path ?? DEFAULT_NAME);
  if (asked === undefined && !existsSync(path)) return { path: undefined, table: {}, problems: [] };
  const failed = (key: string, expected: string): ConfigFile => {
    const problem = { key, source: asked?.source ?? path, found: undefined, expected, nearest: undefined };
    return { path, table: {}, problems: [problem] };
  };
  let text: string;
  try {
    text = readText(path);
  } catch (error) {
    return failed(
      path,
      `the configuration file cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const parsed = parseToml(text);
  return 'complaint' in parsed
    ? failed(`${path}:${parsed.line}`, `not TOML: ${parsed.complaint}`)
    : { path, table: parsed.table, problems: [] };
}

type ParsedToml = { table: RawTable } | { complaint: string; line: number };

/** Lines count from 1. The complaint quotes nothing of the text but names of keys. */
export function parseToml(text: string): ParsedToml {
  const complaint = tomlComplaint(text);
  if (complaint === undefined) return { table: Bun.TOML.parse(text) as RawTable };
  return { complaint: withoutQuotes(complaint), line: lineOf(text, complaint) };
}

function tomlComplaint(text: string): string | undefined {
  try {
    Bun.TOML.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^TOML Parse error: /, '') : 'it cannot be read';
  }
}

/**
 * The parser does not say where it stopped. From that line on every longer part of the text has the same complaint, and
 * before it another or none, so halving finds the line.
 */
function lineOf(text: string, complaint: string): number {
  const lines = text.split('\n');
  let good = 0;
  let bad = lines.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (tomlComplaint(`${lines.slice(0, middle).join('\n')}\n`) === complaint) bad = middle;
    else good = middle;
  }
  return bad;
}

/** An unquoted value is quoted in the complaint, and may be a secret. */
function withoutQuotes(complaint: string): string {
  if (complaint.startsWith('Cannot redefine')) return lowerFirst(complaint);
  return lowerFirst(complaint.replace(/: (?:"[^]*|'[^]*|\(0x[^]*)$/, '').replace(/ but found ['(][^]*$/, ''));
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
