import type { Clock } from '../lib/clock.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { aboutOf } from './backend-about.ts';
import type { RunCall } from './calls.ts';
import { REMOVED_FROM_MODERN } from './constants.ts';
import type { DueQueue } from './due-queue.ts';
import type { Broker, ClientView } from './exchange.ts';
import type { DescribeFailure } from './failure.ts';
import { INVALID_PARAMS, INVALID_REQUEST, JsonRpcError, METHOD_NOT_FOUND } from './json-rpc.ts';
import type { Listeners } from './listen.ts';
import type { Message, RequestMessage } from './message.ts';
import { encodeMessage, type MessageStream, messageStream, STREAM_HEADERS } from './message-stream.ts';
import { ModernExchange, readInputResponses } from './modern-exchange.ts';
import { readModernClient } from './modern-request.ts';
import { discoverResult } from './modern-result.ts';
import type { paramCheck } from './param-check.ts';
import { type ParkedCalls, unknownState } from './parked-calls.ts';
import { type AnswerStream, jsonAnswer, PostAnswer } from './post-answer.ts';
import { type RequestScope, takesStream } from './request-scope.ts';
import type { StateBinding } from './request-state.ts';

export interface ModernDeps {
  broker: Broker;
  ledger: Pick<Ledger, 'attach'>;
  run: RunCall;
  parked: ParkedCalls;
  listeners: Listeners;
  describe: DescribeFailure;
  slow: DueQueue<PostAnswer>;
  /** Answers that are open now. */
  streams: Set<MessageStream>;
  clock: Clock;
  gatherMs: number;
  paramChecks: ReturnType<typeof paramCheck>;
}

/** POST of a client of 2026-07-28 or later: each stands for itself. @throws JsonRpcError for what is refused before it is done. */
export function modernPost(deps: ModernDeps) {
  return (message: Message, scope: RequestScope): Response | Promise<Response> => {
    if (message.kind === 'response') {
      throw new JsonRpcError(INVALID_REQUEST, 'Answers come in "inputResponses" of a further request.');
    }
    // The end of its connection is what calls a request off.
    if (message.kind === 'notification') return new Response(null, { status: 202 });
    const client = readModernClient(message, scope.request.headers);
    if (REMOVED_FROM_MODERN.has(message.method)) throw unknownMethod();
    switch (message.method) {
      case 'server/discover':
        return discover(deps, message, scope);
      case 'subscriptions/listen':
        return deps.listeners.listen(message, client, scope);
      default:
        return call(deps, message, client, scope);
    }
  };
}

async function discover({ broker }: ModernDeps, { id }: RequestMessage, { holder, bePatient }: RequestScope) {
  bePatient();
  const about = await aboutOf(broker, holder);
  return jsonAnswer({ jsonrpc: '2.0', id, result: discoverResult(about) });
}

function call(
  deps: ModernDeps,
  message: RequestMessage,
  client: ClientView,
  scope: RequestScope,
): Promise<Response> {
  const { holder, address, challenge, request } = scope;
  const binding = toBinding(scope);
  const responses = readInputResponses(message.params, malformedInput);
  const state = message.params?.['requestState'];
  const resumed = state === undefined ? undefined : takeParked(deps, message, state, binding);
  const line = connect(deps, scope, message);
  if (resumed !== undefined) {
    line.carry(resumed);
    resumed.resume(message, line.answer, responses);
    return line.answer.response;
  }
  const { clock, gatherMs, describe, parked, ledger, paramChecks } = deps;
  const exchange: ModernExchange = new ModernExchange(message, line.answer, {
    client,
    binding,
    clock,
    gatherMs,
    challenge,
    describe,
    early: responses,
    park(waiting) {
      const requestState = parked.park(waiting);
      holdOnce(ledger, waiting);
      return requestState;
    },
  });
  line.carry(exchange);
  void deps.run(holder, exchange, {
    address,
    onConnection(connection) {
      exchange.generation = connection.generation;
      exchange.about = connection.about;
      paramChecks.check(connection, message, request.headers);
    },
    onResult: (connection, result) => paramChecks.learn(connection, message.method, result),
  });
  return line.answer.response;
}

/** One POST, and whichever call it carries. */
function connect(
  { slow, ledger, streams }: ModernDeps,
  { request, keepOpen }: RequestScope,
  { id }: RequestMessage,
) {
  let exchange: ModernExchange | undefined;
  const answer: PostAnswer = new PostAnswer({
    onSlow() {
      slow.delete(answer);
      keepOpen();
      if (exchange === undefined) return;
      const carried = exchange;
      holdOnce(ledger, carried);
      if (request.signal.aborted) carried.cancel();
      else if (!answer.canStream) watchForEnd(request, carried, id);
    },
    openStream: takesStream(request)
      ? () => openStream(streams, () => exchange !== undefined && callOff(exchange, id))
      : undefined,
    onDone: () => slow.delete(answer),
  });
  slow.add(answer);
  return {
    answer,
    carry(carried: ModernExchange) {
      exchange = carried;
    },
  };
}

function watchForEnd(request: Request, exchange: ModernExchange, id: RequestMessage['id']): void {
  request.signal.addEventListener('abort', () => callOff(exchange, id), { once: true });
}

/** A connection that ended calls off the request that it carries, not one that has gone on to another. */
function callOff(exchange: ModernExchange, id: RequestMessage['id']): void {
  if (exchange.isAttachedTo(id)) exchange.cancel();
}

/** What takes its time ends with the grant. */
function holdOnce(ledger: Pick<Ledger, 'attach'>, exchange: ModernExchange): void {
  if (exchange.isHeld) return;
  exchange.isHeld = true;
  const attachment = ledger.attach(exchange.binding.sessionId, () => exchange.abandon());
  exchange.whenOver(() => attachment[Symbol.dispose]());
}

function openStream(streams: Set<MessageStream>, onGone: () => void): AnswerStream {
  const stream = messageStream(': open\n\n', () => {
    streams.delete(stream);
    onGone();
  });
  streams.add(stream);
  return {
    response: new Response(stream.body, { headers: STREAM_HEADERS }),
    send: (message) => stream.write(encodeMessage(message)),
    end() {
      streams.delete(stream);
      stream.close();
    },
  };
}

/** @throws JsonRpcError `INVALID_PARAMS` unless this client's own call of the same thing waits for it. */
function takeParked(
  { parked }: ModernDeps,
  message: RequestMessage,
  state: unknown,
  binding: StateBinding,
): ModernExchange {
  if (typeof state !== 'string') throw unknownState();
  return parked.take(state, binding, (exchange) => isSameCall(exchange, message));
}

function isSameCall(exchange: ModernExchange, { method, params }: RequestMessage): boolean {
  const { params: before } = exchange;
  return (
    exchange.method === method && before?.['name'] === params?.['name'] && before?.['uri'] === params?.['uri']
  );
}

function toBinding({ holder: { session, user, backend } }: RequestScope): StateBinding {
  return { userId: user.id, sessionId: session.id, backend: backend.name };
}

const unknownMethod = () => new JsonRpcError(METHOD_NOT_FOUND, 'There is no such method.');
const malformedInput = () =>
  new JsonRpcError(INVALID_PARAMS, '"inputResponses" has to be an object of results by name.');
