import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { lua, REPORT, runScript } from './load.ts';
import { median } from './statistics.ts';

export const ECHO_COMMAND = [
  process.execPath,
  '--no-env-file',
  join(import.meta.dir, 'mcp-echo.ts'),
] as const;
const CALL = { name: 'echo', arguments: { text: 'a line of text, as long as most are' } };
const VERSION = '2025-11-25';

/** Where a client calls over HTTP, with what it says each time. */
export interface McpEndpoint {
  url: string;
  headers: Readonly<Record<string, string>>;
}

/** Begins a protocol session. @throws when that fails. */
export async function initialize(url: string, headers: Record<string, string> = {}): Promise<McpEndpoint> {
  const all = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...headers,
  };
  const params = {
    protocolVersion: VERSION,
    capabilities: {},
    clientInfo: { name: 'bench', version: '1.0.0' },
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 'init', method: 'initialize', params });
  const response = await fetch(url, { method: 'POST', headers: all, body });
  const text = await response.text();
  const session = response.headers.get('mcp-session-id');
  if (!response.ok || session === null) throw new Error(`initialize answered ${response.status}: ${text}`);
  const endpoint = { url, headers: { ...all, 'mcp-session-id': session, 'mcp-protocol-version': VERSION } };
  const notification = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
  await (await fetch(url, { method: 'POST', headers: endpoint.headers, body: notification })).text();
  return endpoint;
}

let lastId = 0;

/** One call; resolves with the text of its answer. @throws when it failed. */
export async function callTool({ url, headers }: McpEndpoint, name = CALL.name): Promise<string> {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: ++lastId,
    method: 'tools/call',
    params: { ...CALL, name },
  });
  const response = await fetch(url, { method: 'POST', headers, body });
  const text = await response.text();
  if (!response.ok || !text.includes('"result"'))
    throw new Error(`a call answered ${response.status}: ${text}`);
  return /"text":"([^"]*)"/.exec(text)?.[1] ?? '';
}

/** Calls each second from `connections` callers, made by wrk, which takes as little of the machine as a client can. */
export async function httpCallsPerSecond(
  { url, headers }: McpEndpoint,
  load: { connections: number; seconds: number; directory: string },
): Promise<number> {
  const { origin, pathname } = new URL(url);
  const [before = '', after = ''] = JSON.stringify({
    jsonrpc: '2.0',
    id: '%',
    method: 'tools/call',
    params: CALL,
  }).split('"%"');
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[${lua(name)}] = ${lua(value)}`);
  const script = `
wrk.method = 'POST'
${lines.join('\n')}
local id = 0
function request()
  id = id + 1
  return wrk.format(nil, ${lua(pathname)}, nil, ${lua(before)} .. id .. ${lua(after)})
end
${REPORT}`;
  return (await runScript({ origin, ...load }, script)).requestsPerSecond;
}

/** Milliseconds of the median call of one caller in this process, one after another. */
export async function medianCallMs(call: () => Promise<unknown>, forMs: number): Promise<number> {
  const took: number[] = [];
  const until = performance.now() + forMs;
  while (performance.now() < until) {
    const startedAt = performance.now();
    await call();
    took.push(performance.now() - startedAt);
  }
  return median(took);
}

/** What a client gets that starts the server itself: the official client over standard input and output. */
export interface DirectClient extends AsyncDisposable {
  call(): Promise<unknown>;
  callsPerSecond(load: { callers: number; seconds: number }): Promise<number>;
}

export async function startDirectClient(): Promise<DirectClient> {
  const client = new Client({ name: 'bench', version: '1.0.0' });
  const [command, ...args] = ECHO_COMMAND;
  await client.connect(new StdioClientTransport({ command, args }));
  const call = () => client.callTool(CALL);
  return {
    call,
    async callsPerSecond({ callers, seconds }) {
      const startedAt = performance.now();
      const until = startedAt + seconds * 1_000;
      let calls = 0;
      const caller = async () => {
        for (; performance.now() < until; calls++) await call();
      };
      await Promise.all(Array.from({ length: callers }, caller));
      return calls / ((performance.now() - startedAt) / 1_000);
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
