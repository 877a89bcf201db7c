import { type ConnectionHooks, type ConnectionParts, can } from './connection.ts';
import { LATEST_LEGACY_VERSION, LEGACY_VERSIONS } from './constants.ts';
import type { Exchange, LogLevel, ServerAbout } from './exchange.ts';
import { INTERNAL_ERROR, isJsonObject, type JsonObject, JsonRpcError } from './json-rpc.ts';
import { mostVerbose } from './log-levels.ts';
import type { JsonRpcPeer } from './peer.ts';
import { legacyParams, OWN_INFO } from './request-params.ts';
import { messageRouter } from './routing.ts';
import { ServerConnection, serverAbout } from './server-connection.ts';
import type { Wire } from './wire.ts';

/** What a server may ask through us. Whether a client can be asked is known with each call, and told then. */
const CAPABILITIES = {
  sampling: {},
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
} as const;

/**
 * The handshake of 2025-11-25 and earlier, as the client.
 * @throws JsonRpcError the server's; `INTERNAL_ERROR` when it speaks a revision that nobody knows.
 */
export async function initialize(peer: JsonRpcPeer, wire: Wire, signal: AbortSignal): Promise<ServerAbout> {
  const result = await peer.request(
    'initialize',
    { protocolVersion: LATEST_LEGACY_VERSION, capabilities: CAPABILITIES, clientInfo: OWN_INFO },
    { signal },
  );
  const known = LEGACY_VERSIONS.find((version) => version === result['protocolVersion']);
  if (known === undefined) throw new JsonRpcError(INTERNAL_ERROR, 'The server speaks an unknown revision.');
  wire.speak(known);
  return serverAbout(known, result);
}

/** A server of 2025-11-25 or earlier that has answered `initialize`. */
export class LegacyConnection extends ServerConnection {
  readonly era = 'legacy';
  /** What the server was told last; it has one level for all. */
  #level: LogLevel | undefined;
  /** A server that asked for roots when nobody was there asks again once it is told that they changed. */
  #rootsAwaited = false;

  constructor(parts: Omit<ConnectionParts, 'era'>, peer: JsonRpcPeer, wire: Wire, hooks: ConnectionHooks) {
    super(parts, peer, wire);
    const router = messageRouter(peer, hooks);
    peer.serve({
      notified: (method, params, about) => router.notified(method, params, about),
      asked: async (method, params, about) => {
        try {
          return await router.asked(method, params, about);
        } catch (error) {
          if (method === 'roots/list') this.#rootsAwaited = true;
          throw error;
        }
      },
    });
    peer.notify('notifications/initialized');
  }

  call(exchange: Exchange): Promise<JsonObject> {
    const { client, method, signal } = exchange;
    if (client.logLevel !== undefined) this.#raise(client.logLevel);
    const params = legacyParams(exchange, this.peer.nextId);
    const answer = this.peer.request(method, params, { exchange, signal });
    if (this.#rootsAwaited && client.era === 'legacy' && isJsonObject(client.capabilities['roots'])) {
      this.#rootsAwaited = false;
      this.peer.notify('notifications/roots/list_changed');
    }
    return answer;
  }

  notify(method: string, params?: JsonObject): void {
    this.peer.notify(method, params);
  }

  async setLogLevel(level: LogLevel | undefined): Promise<void> {
    if (level === undefined || level === this.#level || !can(this.about, 'logging')) return;
    this.#level = level;
    // A server that refuses goes on as it was; what it sends is filtered all the same.
    await this.peer.request('logging/setLevel', { level }).catch(() => undefined);
  }

  async subscribe(uri: string): Promise<void> {
    await this.peer.request('resources/subscribe', { uri });
  }

  async unsubscribe(uri: string): Promise<void> {
    await this.peer.request('resources/unsubscribe', { uri }).catch(() => undefined);
  }

  /** A modern client says with each call what it wants to hear: the server is told when that is more than before. */
  #raise(level: LogLevel): void {
    if (mostVerbose([level, this.#level]) !== this.#level) void this.setLogLevel(level);
  }
}
