import { join as joinPath } from 'node:path';
import { startAgent } from '../../src/agent/agent.ts';
import { loadAgentConfig } from '../../src/agent/config.ts';
import { type JoinPrompt, join } from '../../src/agent/join.ts';
import { readJoinTarget } from '../../src/agent/join-target.ts';
import type { Pairing, Services } from '../../src/agent/model.ts';
import { streamServer } from '../../src/agent/serve.ts';
import { type AgentState, makeState } from '../../src/agent/state.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import type { Browser } from './browser.ts';
import { temporaryDirectory } from './database.ts';
import { recordedLog } from './silent-log.ts';
import type { WholeSite } from './whole-site.ts';

/** Timers of an agent in tests, in milliseconds. */
const FAST = {
  heartbeat_interval: 100,
  heartbeat_timeout: 500,
  connect_timeout: 2_000,
  backoff_min: 10,
  backoff_max: 50,
  stable_after: 500,
  drain_timeout: 1_000,
};

/** Makes a code in somebody's browser. */
export async function newPairing(site: WholeSite, owner: Browser): Promise<{ code: string; link: string }> {
  const response = await owner.fetch(site.url('/api/v1/pairings'), {
    method: 'POST',
    headers: { origin: site.app.url },
  });
  if (response.status !== 201) throw new Error(`no code: ${await response.text()}`);
  return (await response.json()) as { code: string; link: string };
}

export interface AgentPlace extends Disposable {
  readonly state: AgentState;
  /** Joins as the command does, but without its own waiting. */
  join(credential: string, options?: JoinOptions): Promise<Pairing>;
  /** Runs the agent with these services. */
  start(options?: StartOptions): ReturnType<typeof startAgent> & { log: ReturnType<typeof recordedLog> };
}

interface JoinOptions {
  server?: string;
  clock?: Clock;
  name?: string;
  serial?: string;
  patienceMs?: number;
  onWait?: (reason: string) => void;
  onPrompt?: (prompt: JoinPrompt) => void;
}

interface StartOptions {
  clock?: Clock;
  services?: Services;
  /** By default what is kept in the directory of the place. */
  state?: AgentState;
  timing?: Partial<typeof FAST>;
}

/** A device of a test: a directory of its own, and what runs in it. */
export function agentPlace(site: Pick<WholeSite, 'app'>): AgentPlace {
  const directory = temporaryDirectory();
  const state = makeState(joinPath(directory.path, 'agent'));
  return {
    state,
    async join(
      credential,
      { server = site.app.url, clock = systemClock, name = 'Pi', serial, ...more } = {},
    ) {
      const read = readJoinTarget(credential, server);
      if ('fault' in read) throw new Error(read.fault);
      const pairing = await join({
        target: read.target,
        about: { name, serial, platform: 'test', chip: undefined, labels: {} },
        key: state.key(),
        ca: undefined,
        clock,
        patienceMs: more.patienceMs ?? 0,
        onWait: more.onWait ?? (() => undefined),
        onPrompt: more.onPrompt ?? (() => undefined),
      });
      state.writePairing(pairing);
      return pairing;
    },
    start({ clock = systemClock, services = new Map(), timing = {}, state: kept = state } = {}) {
      const log = recordedLog();
      const config = {
        ...loadAgentConfig(state.configFile, {}, directory.path),
        services,
        tunnel: { ...FAST, ...timing },
      };
      const server = streamServer({ services, limits: config.limits, clock, log });
      const agent = startAgent({
        config,
        state: kept,
        clock,
        log,
        version: '1.2.3',
        serve: (stream) => server.accept(stream),
      });
      return Object.assign(agent, { log });
    },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}
