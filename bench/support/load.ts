import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { locatePeer } from '../../scripts/peers.ts';

export interface Load {
  /** Where the requests go: `http://127.0.0.1:port`. */
  target: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  /** A file of tokens, all of one length and one a line; each request takes one of them at random. */
  tokens?: { file: string; count: number; length: number; cookieName: string };
  seconds: number;
  connections: number;
  /** For the generated script. */
  directory: string;
}

export interface LoadResult {
  requestsPerSecond: number;
  requests: number;
}

/**
 * Puts load on a server from a process of its own (wrk, one thread), for a bounded time.
 * @throws when a request failed or was refused (400 and above): a benchmark of refusals measures nothing.
 */
export async function runLoad(load: Load): Promise<LoadResult> {
  const wrk = locatePeer('wrk');
  if (wrk === undefined) throw new Error('wrk is missing: apt-get install wrk');
  const script = join(load.directory, 'load.lua');
  writeFileSync(script, luaScript(load));
  const timing = [
    `--threads=1`,
    `--connections=${load.connections}`,
    `--duration=${load.seconds}s`,
    '--timeout=5s',
  ];
  const child = Bun.spawn([wrk, ...timing, '--script', script, load.target], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [text, errors, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  const [, requests = '', microseconds = '', failures = ''] = /RESULT (\d+) (\d+) (\d+)/.exec(text) ?? [];
  if (exitCode !== 0 || requests === '') throw new Error(`wrk failed: ${text}${errors}`);
  if (failures !== '0')
    throw new Error(`${failures} of ${requests} requests failed or were refused: ${text}`);
  return {
    requests: Number(requests),
    requestsPerSecond: Number(requests) / (Number(microseconds) / 1_000_000),
  };
}

/** The request is put together once, but for its token; drawing one is a slice of the file's text. */
function luaScript({ path, headers, tokens, target }: Load): string {
  const { host } = new URL(target);
  const lines = Object.entries({ Host: host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `GET ${path} HTTP/1.1\r\n${lines.join('')}`;
  const start = tokens === undefined ? `${head}\r\n` : `${head}Cookie: ${tokens.cookieName}=`;
  return `
local before, after = ${luaString(start)}, ${luaString(tokens === undefined ? '' : '\r\n\r\n')}
local count, length, text = ${tokens?.count ?? 0}, ${tokens?.length ?? 0}, ''
function setup(thread) thread:set('seed', os.time()) end
function init()
  math.randomseed(seed)
  if count > 0 then
    local file = io.open(${luaString(tokens?.file ?? '')}, 'rb')
    text = file:read('*a')
    file:close()
  end
end
function request()
  if count == 0 then return before end
  local at = math.random(0, count - 1) * (length + 1)
  return before .. text:sub(at + 1, at + length) .. after
end
function done(summary)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  print(string.format('RESULT %d %d %d', summary.requests, summary.duration, failures))
end
`;
}

function luaString(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\r', '\\r').replaceAll('\n', '\\n')}"`;
}
