import { HEADER_MISMATCH, isJsonObject, type JsonObject, JsonRpcError } from './json-rpc.ts';

/** One parameter of a tool that is repeated in a header (2026-07-28, transports, "Custom headers from tool parameters"). */
interface Declaration {
  readonly header: string;
  readonly path: readonly string[];
  /** Declared as a number: `42.0` in the header is `42` in the body. */
  readonly isNumber: boolean;
}

export type ParamHeaders = ReturnType<typeof paramHeaders>;

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const PREFIX = 'mcp-param-';
const MAX_DEPTH = 16;

/** Which parameters of which tools a server wants repeated in headers, as it says in `tools/list`. */
export function paramHeaders() {
  const byTool = new Map<string, readonly Declaration[]>();

  return {
    /** Looks at an answer that passes by. */
    learn({ result }: JsonObject): void {
      const tools = isJsonObject(result) ? result['tools'] : undefined;
      if (!Array.isArray(tools)) return;
      for (const tool of tools as unknown[]) {
        if (!isJsonObject(tool) || typeof tool['name'] !== 'string') continue;
        const found = declarationsIn(tool['inputSchema'], []);
        if (found.length > 0) byTool.set(tool['name'], found);
        else byTool.delete(tool['name']);
      }
    },
    /** The headers of a `tools/call`. */
    of({ name, arguments: given }: JsonObject): Record<string, string> {
      const headers: Record<string, string> = {};
      for (const { header, path } of byTool.get(String(name)) ?? []) {
        const text = textOf(valueAt(given, path));
        if (text !== undefined) headers[`${PREFIX}${header}`] = headerValue(text);
      }
      return headers;
    },
    /**
     * Whether the headers of a `tools/call` repeat what they should; one whose value the body lacks means nothing.
     * @throws JsonRpcError `HEADER_MISMATCH`.
     */
    check({ name, arguments: given }: JsonObject, headers: Headers): void {
      for (const { header, path, isNumber } of byTool.get(String(name)) ?? []) {
        const value = valueAt(given, path);
        const text = textOf(value);
        if (text === undefined) continue;
        const found = headerText(headers.get(PREFIX + header));
        const isSame = isNumber && typeof value === 'number' ? isNumeral(found, value) : found === text;
        if (!isSame) throw headerMismatch(PREFIX + header, found);
      }
    },
  };
}

/** A header that disagrees with the body, or is not there (2026-07-28, transports, "Server validation"). */
export function headerMismatch(header: string, found: string | null): JsonRpcError {
  const problem = found === null ? 'is missing' : 'disagrees with the body';
  return new JsonRpcError(HEADER_MISMATCH, `The header ${header} ${problem}.`, { header });
}

/** A text as the value of a header: as it is where it can be, else in Base64 with marks around it. */
export function headerValue(text: string): string {
  const isPlain =
    /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !/^=\?base64\?.*\?=$/.test(text);
  return isPlain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}

const ENCODED = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/;

/** The text that a header carries, as it is or in Base64 of UTF-8. */
export function headerText(value: string | null): string | null {
  const encoded = value === null ? undefined : ENCODED.exec(value)?.[1];
  return encoded === undefined ? value : Buffer.from(encoded, 'base64').toString('utf8');
}

const NUMERAL = /^-?\d+(?:\.\d+)?$/;

const isNumeral = (text: string | null, value: number): boolean =>
  text !== null && (NUMERAL.test(text) ? Number(text) === value : text === String(value));

function declarationsIn(schema: unknown, path: readonly string[]): Declaration[] {
  if (!isJsonObject(schema) || path.length > MAX_DEPTH) return [];
  const header = schema['x-mcp-header'];
  const { properties, type } = schema;
  const isNumber = type === 'integer' || type === 'number';
  const own =
    typeof header === 'string' && HEADER_NAME.test(header) && path.length > 0
      ? [{ header, path, isNumber }]
      : [];
  const inner = isJsonObject(properties) ? Object.entries(properties) : [];
  return [...own, ...inner.flatMap(([name, each]) => declarationsIn(each, [...path, name]))];
}

function valueAt(root: unknown, path: readonly string[]): unknown {
  let node = root;
  for (const name of path) node = isJsonObject(node) ? node[name] : undefined;
  return node;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
}
