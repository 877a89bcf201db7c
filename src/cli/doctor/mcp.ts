import { childEnvironment, homeDirectory } from '../../config/child-environment.ts';
import { sourceFiles } from '../../config/config.ts';
import type { Config } from '../../config/schema.ts';
import { systemClock } from '../../lib/clock.ts';
import { describeFailure } from '../../mcp/choose-isolation.ts';
import { type Check, type Finding, findingsAbout } from './finding.ts';

/** Whether the servers that the configuration names can be isolated on this machine, and which are not. */
export const checkIsolation: Check = async ({ config }) => {
  const commands = config.mcp.filter(({ command }) => command !== undefined);
  const found: Finding[] = [];
  if (commands.some(({ isolation }) => isolation === 'auto')) found.push(await isolationHere(config));
  const names = commands.filter(({ isolation }) => isolation === 'none').map(({ name }) => name);
  if (names.length > 0) found.push(notIsolated(names));
  return found;
};

const { ok, warn, fail } = findingsAbout('mcp isolation');

async function isolationHere(config: Config): Promise<Finding> {
  const { isolationTrials } = await import('../../mcp/open-children.ts');
  const surroundings = {
    environment: childEnvironment(),
    home: homeDirectory(),
    configFiles: sourceFiles(config),
  };
  const trials = await isolationTrials(config, surroundings, systemClock);
  const works = trials.find(({ fault }) => fault === undefined);
  return works === undefined ? fail(describeFailure(trials).replaceAll('\n', '; ')) : ok(works.name);
}

const notIsolated = (names: readonly string[]) =>
  warn(
    `${names.join(', ')} not isolated: they can read everybody’s tokens and whatever else this account may read`,
  );

/** Whether the programs of backends are there. */
export const checkPrograms: Check = ({ config }) =>
  config.mcp.flatMap(({ name, command = [] }) => {
    const [program] = command;
    if (program === undefined || Bun.which(program, { PATH: childEnvironment().PATH }) !== null) return [];
    return [findingsAbout(`mcp ${name}`).fail(`${program} is not an executable program here`)];
  });
