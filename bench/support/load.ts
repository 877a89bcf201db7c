import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { locatePeer } from '../../scripts/peers.ts';

export interface Load {
  /** Where the requests go: `http://127.0.0.1:port`. */
  origin: string;
  path: string;
  /** `{host}` in a value stands for the host that the drawn token is good at. */
  headers: Readonly<Record<string, string>>;
  /** Each request draws one of these at random, uniformly. Absent: all requests are the same. */
  tokens?: DrawnTokens;
  seconds: number;
  connections: number;
  /** How long each connection rests after an answer, in milliseconds; absent: not at all. */
  restMs?: number;
  /** For the generated script. */
  directory: string;
}

export interface DrawnTokens {
  /** Tokens of one length, one a line. */
  file: string;
  /** Drawn from the first so many lines. */
  count: number;
  length: number;
  /** The token in line i is good at `hosts[i % hosts.length]`. */
  hosts: readonly string[];
  cookieName: string;
}

export interface LoadResult {
  requests: number;
  requestsPerSecond: number;
  /** Of one request, by the load's own clock. */
  medianMs: number;
}

/**
 * Puts load on a server from a process of its own (wrk, one thread), for a bounded time.
 * @throws when a request failed or was refused (400 and above): a benchmark of refusals measures nothing.
 */
export async function runLoad(load: Load): Promise<LoadResult> {
  return runScript(load, load.tokens === undefined ? sameRequests(load) : drawnRequests(load, load.tokens));
}

/** The same with requests that a script makes; `REPORT` has to stand at its end. */
export async function runScript(
  load: Pick<Load, 'origin' | 'seconds' | 'connections' | 'directory'>,
  text: string,
): Promise<LoadResult> {
  const wrk = locatePeer('wrk');
  if (wrk === undefined) throw new Error('wrk is missing: apt-get install wrk');
  mkdirSync(load.directory, { recursive: true });
  const script = join(load.directory, 'load.lua');
  writeFileSync(script, text);
  const bounds = [
    '--threads=1',
    `--connections=${load.connections}`,
    `--duration=${load.seconds}s`,
    '--timeout=5s',
  ];
  const child = Bun.spawn([wrk, ...bounds, '--script', script, load.origin], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [printed, errors, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  const [, requests = '', microseconds = '', failures = '', median = ''] =
    /RESULT (\d+) (\d+) (\d+) (\d+)/.exec(printed) ?? [];
  if (exitCode !== 0 || requests === '') throw new Error(`wrk failed: ${printed}${errors}`);
  if (failures !== '0')
    throw new Error(`${failures} of ${requests} requests failed or were refused: ${printed}`);
  return {
    requests: Number(requests),
    requestsPerSecond: Number(requests) / (Number(microseconds) / 1_000_000),
    medianMs: Number(median) / 1_000,
  };
}

export const REPORT = `
function done(summary, latency)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  print(string.format('RESULT %d %d %d %d', summary.requests, summary.duration, failures, latency:percentile(50)))
end
`;

/** wrk sends one request over and over by itself, as fast as it can. */
function sameRequests({ path, headers }: Load): string {
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[${lua(name)}] = ${lua(value)}`);
  return `wrk.path = ${lua(path)}\n${lines.join('\n')}\n${REPORT}`;
}

/** All of a request but its token is put together once for each host; drawing one takes a slice of the file's text. */
function drawnRequests(load: Load, { file, count, length, hosts, cookieName }: DrawnTokens): string {
  const beginnings = hosts.map((host) => lua(`${requestHead(load, host)}Cookie: ${cookieName}=`));
  return `
local beginnings = { ${beginnings.join(',\n')} }
local ending = ${lua('\r\n\r\n')}
local text
function setup(thread) thread:set('seed', os.time()) end
function init()
  math.randomseed(seed)
  local file = io.open(${lua(file)}, 'rb')
  text = file:read(${count * (length + 1)})
  file:close()
end
function request()
  local line = math.random(0, ${count - 1})
  local at = line * ${length + 1}
  return beginnings[line % ${hosts.length} + 1] .. text:sub(at + 1, at + ${length}) .. ending
end
${load.restMs === undefined ? '' : `function delay() return ${load.restMs} end`}
${REPORT}`;
}

function requestHead({ origin, path, headers }: Load, host: string): string {
  const all = { Host: new URL(origin).host, ...headers };
  const lines = Object.entries(all).map(
    ([name, value]) => `${name}: ${value.replaceAll('{host}', host)}\r\n`,
  );
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}`;
}

/** A string literal of Lua. */
export function lua(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\r', '\\r').replaceAll('\n', '\\n')}"`;
}
