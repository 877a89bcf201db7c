import { type Clock, sleep } from '../lib/clock.ts';
import type { ConnectionHooks, ConnectionParts } from './connection.ts';
import { META_SERVER_INFO, MODERN_VERSIONS } from './constants.ts';
import type { Exchange, ServerAbout } from './exchange.ts';
import { INTERNAL_ERROR, isJsonObject, type JsonObject, JsonRpcError, METHOD_NOT_FOUND } from './json-rpc.ts';
import { modernListener } from './modern-listener.ts';
import type { JsonRpcPeer } from './peer.ts';
import { envelope, modernParams } from './request-params.ts';
import { messageRouter } from './routing.ts';
import { ServerConnection, serverAbout } from './server-connection.ts';
import type { Wire } from './wire.ts';

/** How often a server may want to know something more before it has to answer. */
const MAX_ROUNDS = 20;
/** Wait before coming back to a server that asked for nothing but to come back. */
const COME_BACK_MS = 250;

/**
 * Asks a server what it is (2026-07-28, `server/discover`).
 * @throws JsonRpcError the server's; `INTERNAL_ERROR` when the answer is not one to that question.
 */
export async function discover(peer: JsonRpcPeer, wire: Wire, signal: AbortSignal): Promise<ServerAbout> {
  const version = MODERN_VERSIONS[0];
  wire.speak(version);
  const result = await peer.request('server/discover', { _meta: envelope(undefined, version) }, { signal });
  const { supportedVersions, capabilities, instructions, _meta: meta } = result;
  if (!Array.isArray(supportedVersions) || !supportedVersions.includes(version)) {
    throw new JsonRpcError(INTERNAL_ERROR, 'The server speaks an unknown revision.');
  }
  const serverInfo = isJsonObject(meta) ? meta[META_SERVER_INFO] : undefined;
  return serverAbout(version, { serverInfo, capabilities, instructions });
}

/** A server of 2026-07-28, where each request stands for itself. */
export class ModernConnection extends ServerConnection {
  readonly era = 'modern';
  readonly #clock: Clock;
  readonly #listener: ReturnType<typeof modernListener>;

  constructor(
    parts: Omit<ConnectionParts, 'era'>,
    peer: JsonRpcPeer,
    wire: Wire,
    hooks: ConnectionHooks,
    clock: Clock,
  ) {
    super(parts, peer, wire);
    this.#clock = clock;
    const router = messageRouter(peer, hooks);
    this.#listener = modernListener({ peer, about: parts.about, deliver: hooks.unsolicited });
    peer.serve({
      notified: (method, params, about) => {
        if (!this.#listener.heard(method, params)) router.notified(method, params, about);
      },
      asked: () => {
        throw new JsonRpcError(METHOD_NOT_FOUND, 'Servers ask by "input_required".');
      },
    });
    this.#listener.begin();
  }

  async call(exchange: Exchange): Promise<JsonObject> {
    let extra: JsonObject = {};
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const params = modernParams(exchange, this.about.protocolVersion, this.peer.nextId);
      const result = await this.peer.request(
        exchange.method,
        { ...params, ...extra },
        { exchange, signal: exchange.signal },
      );
      if (result['resultType'] !== 'input_required') return result;
      extra = await this.#ask(exchange, result);
    }
    throw new JsonRpcError(INTERNAL_ERROR, 'The server asked too often.');
  }

  /** Notifications of clients have no meaning without a conversation, but for those that the peer sends itself. */
  notify(): void {}

  /** Each request says for itself what it wants to hear. */
  async setLogLevel(): Promise<void> {}

  subscribe(uri: string): Promise<void> {
    return this.#listener.subscribe(uri);
  }

  unsubscribe(uri: string): Promise<void> {
    return this.#listener.unsubscribe(uri);
  }

  /** What the client answers to all that is asked, as the retry carries it (2026-07-28, "Multi round-trip requests"). */
  async #ask(exchange: Exchange, { inputRequests, requestState }: JsonObject): Promise<JsonObject> {
    const state = typeof requestState === 'string' ? { requestState } : undefined;
    const wanted = isJsonObject(inputRequests) ? Object.entries(inputRequests) : [];
    if (wanted.length === 0) {
      if (state === undefined) throw new JsonRpcError(INTERNAL_ERROR, 'The server asked for nothing.');
      await sleep(this.#clock, COME_BACK_MS, exchange.signal);
      return state;
    }
    const answers = wanted.map(async ([name, request]) => {
      const { method, params } = isJsonObject(request) ? request : {};
      if (typeof method !== 'string') throw new JsonRpcError(INTERNAL_ERROR, 'The server asked for nothing.');
      return [name, await exchange.ask(method, isJsonObject(params) ? params : undefined, name)] as const;
    });
    return { ...state, inputResponses: Object.fromEntries(await Promise.all(answers)) };
  }
}
