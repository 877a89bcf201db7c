import { missingCapabilities } from './client-capabilities.ts';
import { type ConnectionHooks, tellsOfServer } from './connection.ts';
import { MAY_NEED_INPUT, META_INPUT_NAME } from './constants.ts';
import type { Exchange } from './exchange.ts';
import { isJsonObject, type JsonObject } from './json-rpc.ts';
import { wantsLog } from './log-levels.ts';
import type { JsonRpcPeer, OpenRequest } from './peer.ts';
import { clientProgress } from './request-params.ts';

/**
 * Finds whom a message of a server is for. Over HTTP it came on the answer to a request; stdio says nothing, so progress
 * goes by its token, and anything else to the newest call that can take it, for that is most likely what it is about.
 */
export function messageRouter(peer: JsonRpcPeer, hooks: ConnectionHooks) {
  const progress = (params: JsonObject | undefined) => {
    const exchange = peer.find(params?.['progressToken'])?.exchange;
    if (exchange === undefined || params === undefined) return;
    const translated = clientProgress(exchange, params);
    if (translated !== undefined) exchange.notify('notifications/progress', translated);
  };
  const log = (method: string, params: JsonObject | undefined, about: OpenRequest | undefined) => {
    const own = about?.exchange;
    if (own !== undefined) return own.notify(method, params);
    const taker = peer.newest((exchange) => wantsLog(exchange.client, params));
    if (taker !== undefined) taker.notify(method, params);
    else hooks.unsolicited(method, params);
  };

  return {
    notified(method: string, params: JsonObject | undefined, about: OpenRequest | undefined): void {
      if (method === 'notifications/progress') return progress(params);
      if (method === 'notifications/message') return log(method, params, about);
      // A legacy client without a stream of its own hears it with the answer to its newest call.
      if (tellsOfServer(method) && hooks.unsolicited(method, params)) return;
      const own = about?.exchange ?? peer.newest(isLegacy);
      if (own !== undefined) own.notify(method, params);
      else if (!tellsOfServer(method)) hooks.unsolicited(method, params);
    },

    /** @throws JsonRpcError when nobody can be asked, and what the client answered. */
    async asked(
      method: string,
      params: JsonObject | undefined,
      about: OpenRequest | undefined,
    ): Promise<JsonObject> {
      const able = (exchange: Exchange) =>
        mayAsk(exchange) && missingCapabilities(exchange.client.capabilities, method, params) === undefined;
      const exchange = about?.exchange ?? peer.newest(able) ?? peer.newest(() => true);
      return exchange === undefined
        ? hooks.askAnybody(method, params)
        : exchange.ask(method, params, inputName(params));
    },
  };
}

const isLegacy = ({ client }: Exchange) => client.era === 'legacy';

/** Modern clients are asked with the answer to some methods only. */
const mayAsk = (exchange: Exchange) => isLegacy(exchange) || MAY_NEED_INPUT.has(exchange.method);

/** A name that can stand in `inputRequests`. */
const INPUT_NAME = /^[\w.-]{1,64}$/;

function inputName(params: JsonObject | undefined): string | undefined {
  const meta = params?.['_meta'];
  const name = isJsonObject(meta) ? meta[META_INPUT_NAME] : undefined;
  return typeof name === 'string' && INPUT_NAME.test(name) ? name : undefined;
}
