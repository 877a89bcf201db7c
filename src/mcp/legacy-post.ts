import type { AuditEntry } from '../audit/model.ts';
import type { Clock } from '../lib/clock.ts';
import { aboutOf } from './backend-about.ts';
import type { RunCall } from './calls.ts';
import { LATEST_LEGACY_VERSION, LEGACY_VERSIONS, SESSION_HEADER } from './constants.ts';
import type { DueQueue } from './due-queue.ts';
import type { Broker, Holder, ServerAbout } from './exchange.ts';
import type { DescribeFailure } from './failure.ts';
import { INVALID_PARAMS, INVALID_REQUEST, isJsonObject, type JsonObject, JsonRpcError } from './json-rpc.ts';
import { LegacyExchange } from './legacy-exchange.ts';
import { legacyMethods } from './legacy-methods.ts';
import { requireSession } from './legacy-session.ts';
import type { Message, NotificationMessage, RequestMessage } from './message.ts';
import { STREAM_HEADERS } from './message-stream.ts';
import { requireLegacyVersion } from './modern-request.ts';
import { type AnswerStream, jsonAnswer, PostAnswer } from './post-answer.ts';
import type { ProtocolSession } from './protocol-session.ts';
import type { ProtocolSessions } from './protocol-sessions.ts';
import { type RequestScope, takesStream } from './request-scope.ts';

export interface LegacyDeps {
  sessions: ProtocolSessions;
  broker: Broker;
  run: RunCall;
  describe: DescribeFailure;
  /** Answers that are not there yet. */
  slow: DueQueue<PostAnswer>;
  audit: { note(entry: AuditEntry): void };
  clock: Clock;
}

const accepted = () => new Response(null, { status: 202 });

/** POST of a client of 2025-11-25 or earlier. @throws JsonRpcError, HttpRefusal for what is refused before it is done. */
export function legacyPost(deps: LegacyDeps) {
  const methods = legacyMethods(deps);
  return (message: Message, scope: RequestScope): Response | Promise<Response> => {
    const { headers } = scope.request;
    if (message.kind === 'request' && message.method === 'initialize')
      return initialize(deps, message, scope);
    const id = message.kind === 'request' ? message.id : null;
    const session = requireSession(deps, scope, id);
    requireLegacyVersion(headers);
    switch (message.kind) {
      case 'response':
        session.asks.settle(message);
        return accepted();
      case 'notification':
        onNotification(deps, message, session);
        return accepted();
      case 'request': {
        const own = methods(message, session);
        if (own === undefined) return call(deps, message, session, scope);
        scope.bePatient();
        return own.then(toAnswer(message));
      }
    }
  };
}

const toAnswer =
  ({ id }: RequestMessage) =>
  (result: JsonObject) =>
    jsonAnswer({ jsonrpc: '2.0', id, result });

/** Answers from memory when the backend has ever started: a slow child is warm by the time it is needed. */
async function initialize(deps: LegacyDeps, { id, params }: RequestMessage, scope: RequestScope) {
  const request = readInitialize(params);
  scope.bePatient();
  const session = await deps.sessions.open(scope.holder, request);
  try {
    const about = await aboutOf(deps.broker, session.holder);
    const result = { protocolVersion: request.protocolVersion, ...toInitializeResult(about) };
    return jsonAnswer({ jsonrpc: '2.0', id, result }, 200, { [SESSION_HEADER]: session.stored.id });
  } catch (error) {
    await deps.sessions.end(session);
    throw error;
  }
}

function toInitializeResult({ serverInfo, capabilities, instructions }: ServerAbout): JsonObject {
  return { capabilities, serverInfo, ...(instructions !== undefined && { instructions }) };
}

/** What a client says of itself, as JSON, in characters: it is stored with each protocol session. Icons may stand in it. */
const MAX_INTRODUCTION_LENGTH = 32_768;

/** @throws JsonRpcError `INVALID_PARAMS`. */
function readInitialize(params: JsonObject | undefined) {
  const { protocolVersion: asked, capabilities, clientInfo } = params ?? {};
  if (typeof asked !== 'string' || !isJsonObject(capabilities)) {
    throw new JsonRpcError(INVALID_PARAMS, '"initialize" needs protocolVersion and capabilities.');
  }
  if (clientInfo !== undefined && !isJsonObject(clientInfo)) {
    throw new JsonRpcError(INVALID_PARAMS, '"clientInfo" has to be an object.');
  }
  if (JSON.stringify([capabilities, clientInfo]).length > MAX_INTRODUCTION_LENGTH) {
    throw new JsonRpcError(INVALID_PARAMS, '"capabilities" and "clientInfo" are too long.');
  }
  const protocolVersion = LEGACY_VERSIONS.find((known) => known === asked) ?? LATEST_LEGACY_VERSION;
  return { protocolVersion, capabilities, clientInfo };
}

function onNotification(deps: LegacyDeps, { method, params }: NotificationMessage, session: ProtocolSession) {
  if (method === 'notifications/cancelled') {
    const id = params?.['requestId'];
    if (typeof id === 'string' || typeof id === 'number') session.calls.get(id)?.cancel();
  } else if (method === 'notifications/roots/list_changed')
    void tellRootsChanged(deps.broker, session.holder);
}

/** A child that does not run asks for the roots when it next starts. */
async function tellRootsChanged(broker: Broker, holder: Holder): Promise<void> {
  try {
    const lease = await broker.lease(holder);
    lease.connection.notify('notifications/roots/list_changed');
    lease.release();
  } catch {
    // The next call says what is wrong.
  }
}

function call(
  deps: LegacyDeps,
  message: RequestMessage,
  session: ProtocolSession,
  { request, holder, address, challenge, keepOpen }: RequestScope,
): Promise<Response> {
  const { id } = message;
  if (session.calls.has(id)) throw new JsonRpcError(INVALID_REQUEST, 'A request of this id is still open.');
  const answer: PostAnswer = new PostAnswer({
    onSlow() {
      keepOpen();
      deps.slow.delete(answer);
      // Nobody can come back to an answer of which they have seen nothing, nor to one that is no stream.
      if (request.signal.aborted) exchange.cancel();
      else if (!answer.canStream)
        request.signal.addEventListener('abort', () => exchange.cancel(), { once: true });
    },
    openStream: takesStream(request) ? () => openStream(session, id) : undefined,
    onDone: () => deps.slow.delete(answer),
  });
  const exchange = new LegacyExchange(message, {
    client: session.client,
    answer,
    asks: session.asks,
    challenge,
    describe: deps.describe,
    onEnd: () => session.calls.delete(id),
  });
  session.calls.set(id, exchange);
  deps.slow.add(answer);
  const own = { ...session.holder, session: holder.session, user: holder.user };
  void deps.run(own, exchange, { address });
  return answer.response;
}

function openStream(session: ProtocolSession, id: RequestMessage['id']): AnswerStream {
  const stream = session.newStream(id);
  const body = stream.open({ after: 0, primed: session.isPrimed });
  return {
    response: new Response(body, { headers: STREAM_HEADERS }),
    send: (message) => stream.send(message),
    end: () => session.endStream(stream),
  };
}
