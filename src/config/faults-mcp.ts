/** What is wrong with the parts of `[[mcp]]`, in words for the operator. */

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** These change what a runtime or the loader runs, or are ours. */
const FORBIDDEN_VARIABLES = ['BUN_', 'NODE_', 'LD_', 'DYLD_', 'POSTERN_'];

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Ours to send, or of one connection alone. */
const FORBIDDEN_HEADERS = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'last-event-id',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const PLACEHOLDER = /\$\{([^}]*)(\}?)/g;
/** What may stand between `${` and `}`; a secret is named like a variable. */
const PLACEHOLDER_NAME =
  /^(?:upstream\.access_token|user\.(?:name|email|id|username)|secret\.[A-Za-z_][A-Za-z0-9_]{0,63})$/;
const PLACEHOLDERS =
  'the placeholders ${upstream.access_token}, ${secret.NAME}, ${user.name}, ${user.email}, ${user.id} and ${user.username}; there are no others';

/** The placeholders of a text, without their brackets; one that is not closed keeps its opening one. */
export function placeholdersIn(text: string): string[] {
  return [...text.matchAll(PLACEHOLDER)].map(([, name = '', end]) => (end === '}' ? name : `\${${name}`));
}

export function environmentFaults(table: Readonly<Record<string, string>>): Map<string, string> {
  return faults(table, (name, value) => variableFault(name) ?? valueFault(value));
}

export function headerFaults(table: Readonly<Record<string, string>>): Map<string, string> {
  return faults(table, (name, value) => headerFault(name) ?? valueFault(value) ?? asciiFault(value));
}

/** The address of a remote MCP server; the operator answers for where it leads. */
export function remoteUrlFault(text: string): string | undefined {
  const url = /^https?:\/\/[^\s#\\]+$/i.test(text) ? URL.parse(text) : null;
  if (url === null) return 'an http or https URL, without fragment';
  return url.username === '' && url.password === ''
    ? undefined
    : 'a URL without user and password; credentials go into headers';
}

function faults(
  table: Readonly<Record<string, string>>,
  faultOf: (name: string, value: string) => string | undefined,
): Map<string, string> {
  return new Map(
    Object.entries(table).flatMap(([name, value]): [string, string][] => {
      const fault = typeof value === 'string' ? faultOf(name, value) : undefined;
      return fault === undefined ? [] : [[name, fault]];
    }),
  );
}

function variableFault(name: string): string | undefined {
  if (!VARIABLE.test(name)) return 'the name of a variable: letters, digits and underscores';
  const prefix = FORBIDDEN_VARIABLES.find((each) => name.toUpperCase().startsWith(each));
  return prefix === undefined
    ? undefined
    : `another variable; those that begin with ${prefix} would change the program that runs, or are ours`;
}

function headerFault(name: string): string | undefined {
  if (!TOKEN.test(name)) return 'the name of a header (RFC 9110 section 5.6.2)';
  const lower = name.toLowerCase();
  return FORBIDDEN_HEADERS.has(lower) || lower.startsWith('mcp-')
    ? 'another header; this one is ours to send'
    : undefined;
}

function valueFault(value: string): string | undefined {
  if (/\p{Cc}/u.test(value)) return 'a text on one line, without control characters';
  return placeholdersIn(value).every((name) => PLACEHOLDER_NAME.test(name)) ? undefined : PLACEHOLDERS;
}

function asciiFault(value: string): string | undefined {
  return /^[\x20-\x7e]*$/.test(value) ? undefined : 'a text of ASCII characters';
}
