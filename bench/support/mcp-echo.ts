/**
 * An MCP server on standard input and output (2025-11-25) with two tools: `echo`, and `token`, which tells the token that it was
 * started with. It does as little as it can, so that what stands before it is what is measured.
 */

import process from 'node:process';

interface Incoming {
  id?: string | number;
  method: string;
  params?: { name?: string; protocolVersion?: string; arguments?: { text?: string } };
}

let rest = '';
let waiting: string[] = [];

function answer(id: string | number, result: object): void {
  waiting.push(JSON.stringify({ jsonrpc: '2.0', id, result }));
  if (waiting.length === 1) queueMicrotask(flush);
}

function flush(): void {
  process.stdout.write(`${waiting.join('\n')}\n`);
  waiting = [];
}

const text = (value: string) => ({ content: [{ type: 'text', text: value }] });
const TOOLS = ['echo', 'token'].map((name) => ({ name, inputSchema: { type: 'object' } }));

function resultOf({ method, params }: Incoming): object {
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'echo', version: '1.0.0' },
      };
    case 'tools/list':
      return { tools: TOOLS };
    case 'tools/call':
      return text(params?.name === 'token' ? (process.env['TOKEN'] ?? '') : (params?.arguments?.text ?? ''));
    default:
      return {};
  }
}

process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk: string) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) {
    const message = JSON.parse(line) as Incoming;
    if (message.id === undefined) continue;
    if (message.method === 'server/discover') refuse(message.id);
    else answer(message.id, resultOf(message));
  }
});
process.stdin.on('end', () => process.exit(0));

/** As servers do that know nothing of 2026-07-28. */
function refuse(id: string | number): void {
  const error = { code: -32_601, message: 'Method not found' };
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, error })}\n`);
}
