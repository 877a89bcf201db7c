import { resolve } from 'node:path';
import { freePort } from '../test/support/free-port.ts';
import { startForwarder } from '../test/support/mcp-forwarder.ts';
import { registerClient } from '../test/support/mcp-oauth.ts';
import {
  type Finding,
  judgeAuthorization,
  judgeServer,
  REVISIONS,
  type Verdict,
} from '../test/support/mcp-referee.ts';
import { fixtureCommand, type McpSite, mcpTable, startMcpSite } from '../test/support/mcp-site.ts';
import { bun, projectRoot } from './step.ts';

/**
 * `bun run conformance [--json] [--binary FILE] [--verbose]`: holds the appliance to what the protocol's own referee
 * requires. It runs through the real endpoint, with an access token from the whole OAuth flow; behind it are a server
 * that never heard of 2026-07-28 and one that speaks nothing else. The program is run from source unless a file is named.
 */

const CHILDREN = ['legacy', 'modern'] as const;

interface Tally {
  passed: number;
  failed: number;
}

/** One run of the referee. */
interface Round {
  readonly set: string;
  readonly child: string;
  readonly verdict: Verdict;
}

async function main(args: readonly string[]): Promise<number> {
  const binary = args.includes('--binary') ? args[args.indexOf('--binary') + 1] : undefined;
  const fromSource = [bun, '--no-env-file', `${projectRoot}/src/main.ts`];
  // The appliance runs in a directory of its own, where a relative path would name something else.
  const command = binary === undefined ? fromSource : [resolve(binary)];
  const rounds = await judge(command);
  for (const round of rounds) report(round, args.includes('--verbose'));
  const tallies = tallyBySet(rounds);
  for (const [set, { passed, failed }] of Object.entries(tallies))
    console.log(`${set.padEnd(14)} ${passed} passed, ${failed} failed`);
  if (args.includes('--json')) console.log(JSON.stringify(tallies));
  return Object.values(tallies).every(({ passed, failed }) => failed === 0 && passed > 0) ? 0 : 1;
}

async function judge(command: readonly string[]): Promise<Round[]> {
  await using running = new AsyncDisposableStack();
  const publicPort = freePort();
  const toml = CHILDREN.map((child) => mcpTable(child, fixtureCommand(`${child}-server`))).join('\n');
  const site = running.use(await startMcpSite({ command, publicPort, toml }));
  const forwarder = running.use(await startForwarder(publicPort, site.appliance.port));
  const person = site.person('ada');
  const rounds: Round[] = [];
  for (const child of CHILDREN) {
    const { access_token: token } = await person.connect(child);
    forwarder.useToken(child, token);
    for (const set of REVISIONS)
      rounds.push({ set, child, verdict: await judgeServer(site.resource(child), set) });
  }
  rounds.push({ set: 'authorization', child: '-', verdict: await judgeFlow(site) });
  return rounds;
}

/** The referee as an OAuth client: somebody opens the page that it prints, and the answer goes to its callback. */
async function judgeFlow(site: McpSite): Promise<Verdict> {
  const port = freePort();
  const clientId = await registerClient(site.origin, `http://127.0.0.1:${port}/callback`, 'referee');
  const person = site.person('kim');
  return judgeAuthorization({
    url: site.origin,
    clientId,
    port,
    resource: site.resource('legacy'),
    open: async (url) => {
      await (await fetch(await person.authorize(url))).text();
    },
  });
}

function report({ set, child, verdict }: Round, isVerbose: boolean): void {
  const scored = verdict.findings.filter(({ isScored }) => isScored);
  const { passed, failed } = tallyOf(scored);
  const warnings = scored.filter(({ status }) => status === 'WARNING');
  const beside = verdict.findings.filter(({ isScored, status }) => !isScored && status === 'FAILURE');
  console.log(
    `${set.padEnd(14)} ${child.padEnd(7)} ${passed} passed, ${failed} failed, ${warnings.length} warnings` +
      (beside.length > 0 ? `, ${beside.length} failed that do not count` : ''),
  );
  for (const finding of scored) if (finding.status === 'FAILURE') line('failed ', finding);
  for (const finding of warnings) line('warning', finding);
  if (isVerbose) {
    for (const finding of beside) line('beside ', finding);
    console.log(verdict.output);
  }
}

function line(what: string, { scenario, check, message }: Finding): void {
  console.log(`  ${what} ${scenario} · ${check}: ${message}`);
}

function tallyBySet(rounds: readonly Round[]): Record<string, Tally> {
  const tallies: Record<string, Tally> = {};
  for (const { set, verdict } of rounds) {
    const tally = (tallies[set] ??= { passed: 0, failed: 0 });
    const { passed, failed } = tallyOf(verdict.findings.filter(({ isScored }) => isScored));
    tally.passed += passed;
    tally.failed += failed;
  }
  return tallies;
}

/** A round without a single check did not take place, which is a failure too. */
function tallyOf(findings: readonly Finding[]): Tally {
  const passed = findings.filter(({ status }) => status === 'SUCCESS').length;
  const failed = findings.filter(({ status }) => status === 'FAILURE').length;
  return { passed, failed: findings.length === 0 ? 1 : failed };
}

process.exitCode = await main(process.argv.slice(2));
