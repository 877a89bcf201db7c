import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The referee of the protocol, `@modelcontextprotocol/conformance`, and what it finds. */

const PACKAGE = join(import.meta.dir, '..', '..', 'node_modules', '@modelcontextprotocol', 'conformance');

/** The requirement sets that the appliance is held to. */
export const REVISIONS = ['2025-11-25', '2026-07-28'] as const;
export type Revision = (typeof REVISIONS)[number];

/** One thing that the referee looked at. */
export interface Finding {
  readonly scenario: string;
  readonly check: string;
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO';
  /** What is wrong, if anything. */
  readonly message: string;
  /** Whether it counts: extensions, and scenarios younger than their revision, do not. */
  readonly isScored: boolean;
}

export interface Verdict {
  readonly findings: readonly Finding[];
  /** All that the referee printed. */
  readonly output: string;
}

/** Runs everything that a revision requires of a server. */
export async function judgeServer(url: string, revision: Revision): Promise<Verdict> {
  const required = requiredScenarios(revision);
  const verdict = await runReferee(['server', '--url', url, '--requirements', revision]);
  const findings = verdict.findings.map((finding) => ({
    ...finding,
    isScored: required.has(finding.scenario),
  }));
  const seen = new Set(findings.map(({ scenario }) => scenario));
  const unseen = [...required].filter((scenario) => !seen.has(scenario));
  return { ...verdict, findings: [...findings, ...unseen.map(notRun)] };
}

/** What the client of the `authorization` scenarios is, and who opens the page that it asks to have opened. */
export interface AuthorizationClient {
  readonly url: string;
  readonly clientId: string;
  /** The referee waits there for `http://127.0.0.1:<port>/callback`. */
  readonly port: number;
  readonly resource: string;
  open(authorizeUrl: URL): Promise<void>;
}

/** Runs the scenarios for authorization servers. */
export async function judgeAuthorization(client: AuthorizationClient): Promise<Verdict> {
  const { url, clientId, port, resource } = client;
  const flags = ['--url', url, '--client-id', clientId, '--port', String(port), '--resource', resource];
  let opened: Promise<void> | undefined;
  const verdict = await runReferee(['authorization', ...flags], (output) => {
    const [link] = /^https?:\/\/\S+code_challenge=\S+$/m.exec(output) ?? [];
    if (link !== undefined) opened ??= client.open(new URL(link));
  });
  await opened;
  return verdict;
}

async function runReferee(
  args: readonly string[],
  onOutput: (output: string) => void = () => undefined,
): Promise<Verdict> {
  const results = mkdtempSync(join(tmpdir(), 'postern-referee-'));
  try {
    const command = [process.execPath, '--no-env-file', join(PACKAGE, 'dist', 'index.js'), ...args];
    const child = Bun.spawn([...command, '--output-dir', results], {
      cwd: results,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const collect = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder();
      for await (const chunk of stream) {
        output += decoder.decode(chunk, { stream: true });
        onOutput(output);
      }
    };
    await Promise.all([collect(child.stdout), collect(child.stderr), child.exited]);
    return { findings: readFindings(results), output };
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

interface Check {
  id: string;
  status: Finding['status'];
  errorMessage?: string;
}

/** One directory a scenario, `server-<scenario>-<time>`, with `checks.json` in it. */
function readFindings(results: string): Finding[] {
  return readdirSync(results).flatMap((directory) => {
    const [, scenario = directory] =
      /^(?:server|authorization-server)-(.+?)-\d{4}-\d\d-\d\dT.*$/.exec(directory) ?? [];
    const checks = JSON.parse(readFileSync(join(results, directory, 'checks.json'), 'utf8')) as Check[];
    return checks.map(({ id, status, errorMessage = '' }) => ({
      scenario,
      check: id,
      status,
      message: errorMessage,
      isScored: true,
    }));
  });
}

function requiredScenarios(revision: Revision): Set<string> {
  const text = readFileSync(join(PACKAGE, 'requirements', `${revision}.yaml`), 'utf8');
  const { server } = Bun.YAML.parse(text) as { server: string[] };
  return new Set(server);
}

const notRun = (scenario: string): Finding => ({
  scenario,
  check: scenario,
  status: 'FAILURE',
  message: 'The referee did not come so far.',
  isScored: true,
});
