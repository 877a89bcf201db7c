import { MAX_URI_LENGTH } from './constants.ts';
import type { Broker } from './exchange.ts';
import { INVALID_PARAMS, isJsonObject, type JsonObject, JsonRpcError, METHOD_NOT_FOUND } from './json-rpc.ts';
import type { RequestMessage } from './message.ts';
import { toLogLevel } from './modern-request.ts';
import type { ProtocolSession } from './protocol-session.ts';
import type { ProtocolSessions } from './protocol-sessions.ts';

/** URIs that one protocol session may subscribe to. */
const MAX_SUBSCRIPTIONS = 256;

type Method = (message: RequestMessage, session: ProtocolSession) => Promise<JsonObject>;

/**
 * Methods of legacy clients that are no calls: one child serves many views, so that what a view wants to hear is kept here
 * and told to the child as the sum of all.
 */
export function legacyMethods({ sessions, broker }: { sessions: ProtocolSessions; broker: Broker }) {
  const setLevel: Method = async ({ params }, session) => {
    const level = toLogLevel(params?.['level']);
    if (level === undefined) throw new JsonRpcError(INVALID_PARAMS, 'There is no such level.');
    await requireServerCapability(broker, session, 'logging');
    session.change({ logLevel: level });
    await sessions.save(session);
    await session.attachment.setLogLevel(level);
    return {};
  };

  const subscribe: Method = async ({ params }, session) => {
    const uri = uriOf(params);
    const { subscriptions } = session.stored;
    if (subscriptions.includes(uri)) return {};
    if (subscriptions.length >= MAX_SUBSCRIPTIONS) {
      throw new JsonRpcError(INVALID_PARAMS, 'Unsubscribe from something else first.');
    }
    // Counted before anything is waited for: many at once would otherwise all find room.
    session.change({ subscriptions: [...subscriptions, uri] });
    try {
      await session.attachment.subscribe(uri);
    } catch (error) {
      session.change({ subscriptions: session.stored.subscriptions.filter((each) => each !== uri) });
      throw error;
    }
    await sessions.save(session);
    return {};
  };

  const unsubscribe: Method = async ({ params }, session) => {
    const uri = uriOf(params);
    if (!session.stored.subscriptions.includes(uri)) return {};
    session.change({ subscriptions: session.stored.subscriptions.filter((each) => each !== uri) });
    await sessions.save(session);
    await session.attachment.unsubscribe(uri);
    return {};
  };

  const own = new Map<string, Method>([
    ['ping', () => Promise.resolve({})],
    ['logging/setLevel', setLevel],
    ['resources/subscribe', subscribe],
    ['resources/unsubscribe', unsubscribe],
  ]);
  /** `undefined`: the backend's business. */
  return (message: RequestMessage, session: ProtocolSession): Promise<JsonObject> | undefined =>
    own.get(message.method)?.(message, session);
}

async function requireServerCapability(broker: Broker, { holder }: ProtocolSession, name: string) {
  const about = broker.cachedAbout(holder);
  if (about !== undefined && !isJsonObject(about.capabilities[name])) {
    throw new JsonRpcError(METHOD_NOT_FOUND, 'This server does not do that.');
  }
}

function uriOf(params: JsonObject | undefined): string {
  const uri = params?.['uri'];
  if (typeof uri !== 'string' || uri === '') throw new JsonRpcError(INVALID_PARAMS, '"uri" is missing.');
  if (uri.length > MAX_URI_LENGTH) throw new JsonRpcError(INVALID_PARAMS, '"uri" is too long.');
  return uri;
}
