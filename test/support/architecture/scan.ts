/** One import of a file, by its text. */
export interface ImportStatement {
  specifier: string;
  /** `type` is gone at run time; `lazy` is loaded when the code gets there. */
  kind: 'static' | 'type' | 'lazy';
}

export interface ScannedSource {
  /** The text with comments and the contents of strings, templates and regular expressions blanked; offsets stay. */
  code: string;
  imports: readonly ImportStatement[];
  /** Whether something is imported by a name that is computed, which no rule could judge. */
  hasComputedImport: boolean;
}

const STATIC_IMPORT = /\b(?:import|export)\b(?<type>\s+type\b)?[^;'"`]*?\bfrom\s*(?=['"])/g;
const BARE_IMPORT = /\bimport\s*(?=['"])/g;
const LAZY_IMPORT = /\b(?:import|require)\s*\(\s*(?=['"])/g;
const COMPUTED_IMPORT = /\b(?:import|require)\s*\(\s*(?!['"\s)])/;

/** Reads one source file, types included. */
export function scanSource(text: string): ScannedSource {
  const code = blankText(text);
  const importsBy = (pattern: RegExp, kind: ImportStatement['kind']) =>
    [...code.matchAll(pattern)].map((match) => ({
      specifier: stringAt(text, match.index + match[0].length),
      kind: match.groups?.['type'] === undefined ? kind : 'type',
    }));
  const imports = [
    ...importsBy(STATIC_IMPORT, 'static'),
    ...importsBy(BARE_IMPORT, 'static'),
    ...importsBy(LAZY_IMPORT, 'lazy'),
  ];
  return { code, imports, hasComputedImport: COMPUTED_IMPORT.test(code) };
}

function stringAt(text: string, start: number): string {
  return text.slice(start + 1, text.indexOf(text.charAt(start), start + 1));
}

/** What a `/` begins a regular expression after, rather than divides. */
const BEFORE_REGULAR_EXPRESSION =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|await|void))\s*$/;

/** Same length and lines as `text`, with everything that is not code made of blanks. Delimiters of strings stay. */
function blankText(text: string): string {
  let code = '';
  let at = 0;
  /** Depth of braces in each `${…}` that is open. */
  const templates: number[] = [];

  const keep = (length: number) => {
    code += text.slice(at, at + length);
    at += length;
  };
  const blankTo = (end: number) => {
    code += text.slice(at, end).replaceAll(/[^\n]/g, ' ');
    at = end;
  };
  const endOf = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    return found === null ? text.length : found.index + found[0].length;
  };
  const string = (body: RegExp) => {
    keep(1);
    blankTo(Math.max(at, endOf(body) - 1));
    keep(1);
  };
  const templateText = () => {
    const end = endOf(/(?:[^\\`$]|\\[^]|\$(?!\{))*/y);
    blankTo(end);
    if (text.startsWith('${', at)) {
      keep(2);
      templates.push(0);
    } else keep(1);
  };

  while (at < text.length) {
    const character = text.charAt(at);
    const open = templates.length - 1;
    if (text.startsWith('//', at)) blankTo(endOf(/[^\n]*/y));
    else if (text.startsWith('/*', at)) blankTo(endOf(/[^]*?\*\//y));
    else if (character === '"') string(/(?:[^\\"\n]|\\[^])*"/y);
    else if (character === "'") string(/(?:[^\\'\n]|\\[^])*'/y);
    else if (character === '/' && BEFORE_REGULAR_EXPRESSION.test(code.slice(-40))) {
      string(/(?:[^\\/[\n]|\\.|\[(?:[^\]\\]|\\.)*\])*\//y);
    } else if (character === '`') {
      keep(1);
      templateText();
    } else if (character === '}' && templates[open] === 0) {
      templates.pop();
      keep(1);
      templateText();
    } else {
      if (open >= 0 && character === '{') templates[open] = (templates[open] ?? 0) + 1;
      if (open >= 0 && character === '}') templates[open] = (templates[open] ?? 0) - 1;
      keep(1);
    }
  }
  return code;
}
