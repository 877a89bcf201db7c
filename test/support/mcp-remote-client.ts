import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { temporaryDirectory } from './database.ts';
import type { McpPerson, McpSite } from './mcp-site.ts';

const PROXY = join(import.meta.dir, '..', '..', 'node_modules', 'mcp-remote', 'dist', 'proxy.js');
const CONNECT_TIMEOUT_MS = 30_000;

/** A client that speaks stdio alone, with `mcp-remote` between it and the appliance. */
export interface RemoteClient extends AsyncDisposable {
  readonly client: Client;
  /** The access token that it keeps in its directory now. */
  accessToken(): string;
  /** What `mcp-remote` printed. */
  printed(): string;
}

/** Starts `mcp-remote` for a backend; the person opens the page that it prints. */
export async function startMcpRemote(
  site: McpSite,
  person: McpPerson,
  backend: string,
): Promise<RemoteClient> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(temporaryDirectory()).path;
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ['--no-env-file', PROXY, site.resource(backend)],
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: directory,
      MCP_REMOTE_CONFIG_DIR: directory,
      // Nobody has a browser here: the page is opened by script.
      BROWSER: 'true',
    },
    stderr: 'pipe',
  });
  let printed = '';
  let opened: Promise<void> | undefined;
  transport.stderr?.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    const [, link] = /authorize this client by visiting:\s+(https?:\S+)\s/.exec(printed) ?? [];
    if (link !== undefined) opened ??= openPage(person, link);
  });
  const client = new Client({ name: 'stdio-client', version: '1.0.0' });
  starting.defer(() => client.close());
  await client.connect(transport, { timeout: CONNECT_TIMEOUT_MS });
  await opened;
  const running = starting.move();
  return {
    client,
    accessToken: () => keptToken(directory),
    printed: () => printed,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function keptToken(directory: string): string {
  const [file] = new Bun.Glob('**/*_tokens.json').scanSync({ cwd: directory });
  if (file === undefined) throw new Error('mcp-remote keeps no tokens');
  return (JSON.parse(readFileSync(join(directory, file), 'utf8')) as { access_token: string }).access_token;
}

/** The answer goes where `mcp-remote` listens for it. */
async function openPage(person: McpPerson, link: string): Promise<void> {
  const back = await person.authorize(link);
  await (await fetch(back)).text();
}
