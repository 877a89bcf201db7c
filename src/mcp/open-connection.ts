import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { ConnectionHooks, ManagedConnection } from './connection.ts';
import type { Era, ServerAbout } from './exchange.ts';
import { JsonRpcError } from './json-rpc.ts';
import { initialize, LegacyConnection } from './legacy-connection.ts';
import { discover, ModernConnection } from './modern-connection.ts';
import { JsonRpcPeer } from './peer.ts';
import type { Wire } from './wire.ts';

export interface OpenConnectionOptions {
  wire: Wire;
  /** What this backend spoke when it was last started; it is asked for that first. */
  knownEra: Era | undefined;
  generation: number;
  hooks: ConnectionHooks;
  clock: Clock;
  log: Logger;
  /** A server that has not answered `server/discover` by then is asked to initialize as well. */
  probeTimeoutMs: number;
  /** Ends the attempt. The wire is the caller's to end. */
  signal: AbortSignal;
}

/** A server that speaks neither era. */
class NotAServer extends Error {
  override readonly name = 'NotAServer';
}

/**
 * Finds out which era a server speaks, and does what that era wants before the first call: servers of today are asked
 * `server/discover`; most know nothing of it, answer with an error or not at all, and are initialized.
 * @throws NotAServer when it answers neither; whatever `signal` was aborted with.
 */
export async function openConnection(options: OpenConnectionOptions): Promise<ManagedConnection> {
  const { wire, log, knownEra, signal } = options;
  const peer = new JsonRpcPeer(wire, log);
  try {
    if (knownEra !== 'legacy') return await openUnknown(peer, options);
    const about = await initialize(peer, wire, signal).catch((error: unknown) => {
      // It was replaced by one that knows nothing of what it spoke before.
      if (error instanceof JsonRpcError) return undefined;
      throw error;
    });
    if (about !== undefined) return asLegacy(peer, about, options);
    return asModern(peer, await discover(peer, wire, signal), options);
  } catch (error) {
    signal.throwIfAborted();
    throw new NotAServer('the server answered neither server/discover nor initialize', { cause: error });
  }
}

async function openUnknown(peer: JsonRpcPeer, options: OpenConnectionOptions): Promise<ManagedConnection> {
  const { wire, signal } = options;
  const discovery = discover(peer, wire, signal).then(
    (about) => about,
    () => undefined,
  );
  const first = await inTime(discovery, options);
  if (first !== undefined) return asModern(peer, first, options);
  // A server that is slow to start finds both questions; whichever era it then takes part in is the one.
  try {
    return asLegacy(peer, await initialize(peer, wire, signal), options);
  } catch (error) {
    const late = await discovery;
    if (late === undefined || signal.aborted) throw error;
    wire.speak(late.protocolVersion);
    return asModern(peer, late, options);
  }
}

/** The answer, or `undefined` when there is none in time. */
function inTime(
  discovery: Promise<ServerAbout | undefined>,
  { clock, probeTimeoutMs }: OpenConnectionOptions,
) {
  return new Promise<ServerAbout | undefined>((resolve) => {
    const timer = clock.setTimer(probeTimeoutMs, () => resolve(undefined));
    void discovery.then(resolve).finally(() => timer[Symbol.dispose]());
  });
}

function asLegacy(peer: JsonRpcPeer, about: ServerAbout, options: OpenConnectionOptions): LegacyConnection {
  return new LegacyConnection(partsOf(about, options), peer, options.wire, options.hooks);
}

function asModern(peer: JsonRpcPeer, about: ServerAbout, options: OpenConnectionOptions): ModernConnection {
  return new ModernConnection(partsOf(about, options), peer, options.wire, options.hooks, options.clock);
}

function partsOf(about: ServerAbout, { wire, generation }: OpenConnectionOptions) {
  return { about, generation, process: wire.process, exited: wire.exited };
}
