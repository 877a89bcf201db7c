import { runningServers } from '../../control/any-server.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { CommandRun } from '../command.ts';
import { columns } from '../table.ts';
import { checkClock, checkDatabase } from './database.ts';
import { checkDirectory, checkDiskSpace, checkSecret } from './directory.ts';
import type { Check, CheckContext, Finding } from './finding.ts';
import { findingsAbout } from './finding.ts';
import { checkIsolation, checkPrograms } from './mcp.ts';
import { checkListeners, checkProxies, checkUrl } from './network.ts';
import { checkNodes } from './nodes.ts';
import { checkProviders } from './providers.ts';
import { checkRedis } from './redis.ts';
import { checkSessions } from './sessions.ts';
import { checkTls } from './tls.ts';

/** In the order of the lines. */
const CHECKS: readonly Check[] = [
  checkDirectory,
  checkSecret,
  checkDiskSpace,
  checkDatabase,
  checkClock,
  checkRedis,
  checkSessions,
  checkNodes,
  checkListeners,
  checkTls,
  checkUrl,
  checkProxies,
  checkProviders,
  checkPrograms,
  checkIsolation,
];

export const doctor: CommandRun = async ({ io, loadConfig }) => {
  const config = await loadConfig();
  const found = await runningServers({ dataDir: config.data_dir, workingDir: io.workingDir });
  const servers = found.map(({ status }) => status);
  const findings = await examine({ config, isRunning: servers.length > 0, servers });
  for (const line of columns(findings.map(({ level, about, text }) => [level, about, text]))) io.out(line);
  const failed = findings.filter(({ level }) => level === 'fail').length;
  if (failed > 0) throw new CommandError(failed === 1 ? 'one thing is wrong' : `${failed} things are wrong`);
};

/** Everything there is to say, what can be waited for at once. */
export async function examine(context: CheckContext): Promise<Finding[]> {
  const { ok } = findingsAbout('server');
  const found = await Promise.all(CHECKS.map((check) => runCheck(check, context)));
  return [
    findingsAbout('configuration').ok('understood; postern config prints it'),
    ok(context.isRunning ? 'running' : 'not running'),
    ...found.flat(),
  ];
}

/** One check that cannot be made leaves the others their say. */
async function runCheck(check: Check, context: CheckContext): Promise<Finding[]> {
  try {
    return await check(context);
  } catch (error) {
    return [
      findingsAbout('doctor').fail(`cannot look: ${error instanceof Error ? error.message : String(error)}`),
    ];
  }
}
