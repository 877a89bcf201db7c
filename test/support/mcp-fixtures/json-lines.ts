/** JSON-RPC over standard input and output, as MCP has it for local servers: one message a line. */

export type Json = Readonly<Record<string, unknown>>;

export function send(message: Json): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

/** Hands over every message until the end of input; what is no object is left out. */
export async function receive(take: (message: Json) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of Bun.stdin.stream()) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const message: unknown = line.trim() === '' ? undefined : JSON.parse(line);
      if (isObject(message)) take(message);
    }
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Nothing, for what is no object. */
export const objectOf = (value: unknown): Json => (isObject(value) ? value : {});

/** What a server answers a request with when it cannot do what was asked. */
export class Refusal extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export const METHOD_NOT_FOUND = -32_601;
export const INVALID_PARAMS = -32_602;
const INTERNAL_ERROR = -32_603;

export function errorOf(error: unknown): Json {
  if (!(error instanceof Refusal)) return { code: INTERNAL_ERROR, message: String(error) };
  const { code, message, data } = error;
  return data === undefined ? { code, message } : { code, message, data };
}
