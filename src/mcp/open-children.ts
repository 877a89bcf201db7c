import { readFileSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { needsIsolation } from './backends.ts';
import { childUids, uidRange } from './child-uids.ts';
import { chooseIsolation, type IsolationTrial, tryIsolations } from './choose-isolation.ts';
import { hiddenPaths } from './hidden-paths.ts';
import type { IsolationHost, IsolationTools } from './isolation.ts';
import { type ChildLauncher, childLauncher } from './launcher.ts';
import { endLeftovers } from './leftovers.ts';
import type { Backend } from './model.ts';
import { spawnRecords } from './spawn-records.ts';

export interface Surroundings {
  /** What every child's environment begins with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Of the account that runs the appliance. */
  readonly home: string;
  /** Files that the configuration was read from. */
  readonly configFiles: readonly string[];
}

export interface ChildrenDeps {
  config: Pick<Config, 'data_dir' | 'tls' | 'mcp_server'>;
  backends: readonly Backend[];
  db: Db;
  clock: Clock;
  log: Logger;
  surroundings: Surroundings;
}

/**
 * What children are started with. Ends first what an earlier life of the appliance left running.
 * @throws CommandError, exit 2, naming what is missing, when a backend has to be isolated and nothing here can.
 */
export async function openChildren(deps: ChildrenDeps): Promise<ChildLauncher> {
  const { config, backends, db, clock, log, surroundings } = deps;
  const records = spawnRecords({ db, clock, log });
  await endLeftovers({ db, clock, log, store: records.store });
  const uids = uidsHere();
  const isolation = needsIsolation(backends)
    ? await chooseIsolation(isolationTrialOptions(config, surroundings, clock))
    : undefined;
  if (isolation !== undefined) log.info('MCP servers are isolated', { by: isolation.name });
  warnOfNone(backends, log);
  const { input_closed_wait, terminate_wait } = config.mcp_server;
  return childLauncher({
    clock,
    log,
    records,
    isolation,
    uids,
    ladder: { inputClosedMs: input_closed_wait, terminatedMs: terminate_wait },
    environment: surroundings.environment,
    home: surroundings.home,
  });
}

/** What of isolation works on this machine, best first, for `postern doctor`. */
export function isolationTrials(
  config: ChildrenDeps['config'],
  surroundings: Surroundings,
  clock: Clock,
): Promise<IsolationTrial[]> {
  return tryIsolations(isolationTrialOptions(config, surroundings, clock));
}

function isolationTrialOptions(
  { data_dir, tls, mcp_server }: ChildrenDeps['config'],
  { home, configFiles }: Surroundings,
  clock: Clock,
) {
  const keys = typeof tls === 'object' ? [tls.key] : [];
  const own = [data_dir, ...configFiles, ...keys, ...mcp_server.hide];
  const host: IsolationHost = {
    tools: toolsHere(),
    isRoot: isRoot(),
    home,
    hidden: hiddenPaths({ own, home }),
  };
  return { host, clock, secretDirectory: data_dir, uid: rangeHere()?.first };
}

function warnOfNone(backends: readonly Backend[], log: Logger): void {
  const names = backends
    .filter(({ transport }) => transport.kind === 'stdio' && transport.isolation === 'none')
    .map(({ name }) => name);
  if (names.length === 0) return;
  log.warn(
    'these MCP servers are not isolated: they can read the data directory with everybody’s tokens, this program’s memory, and whatever else the account may read',
    { backends: names },
  );
}

function toolsHere(): IsolationTools {
  const find = (name: string) => Bun.which(name, { PATH: SYSTEM_PATH }) ?? undefined;
  return {
    bwrap: find('bwrap'),
    unshare: find('unshare'),
    setpriv: find('setpriv'),
    mount: find('mount'),
    sh: find('sh'),
  };
}

/** What isolates is taken from the system alone, whatever `PATH` says; the wrappers are those of NixOS. */
const SYSTEM_PATH =
  '/run/wrappers/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin';

const isRoot = () => process.getuid?.() === 0;

/** Only root may give uids. */
function uidsHere() {
  const range = isRoot() ? rangeHere() : undefined;
  return range === undefined ? undefined : childUids(range);
}

function rangeHere() {
  if (!isRoot()) return undefined;
  try {
    return uidRange(readFileSync('/proc/self/uid_map', 'utf8'));
  } catch {
    return undefined;
  }
}
