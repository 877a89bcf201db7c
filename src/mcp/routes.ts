import { bodyTooLarge, readBody } from '../http/body.ts';
import { mediaType } from '../http/form.ts';
import type { NativeConnection, NativeHandler, NativeRoutes } from '../http/native.ts';
import { problemResponse } from '../http/problem.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Holder } from './exchange.ts';
import { type DescribeFailure, errorMessage } from './failure.ts';
import { type McpGuard, type McpGuardDeps, mcpGuard } from './guard.ts';
import { MCP_METHODS, type McpOrigins } from './guard-origin.ts';
import { HttpRefusal } from './http-refusal.ts';
import type { JsonRpcId } from './json-rpc.ts';
import { MalformedMessage, type Message, parseMessage } from './message.ts';
import type { Backend } from './model.ts';
import { isModern, namesModern } from './modern-request.ts';
import { jsonAnswer } from './post-answer.ts';
import type { RequestScope } from './request-scope.ts';

type Answer = Response | Promise<Response>;

export interface McpRoutesDeps extends McpGuardDeps {
  backends: readonly Backend[];
  origins: McpOrigins;
  describe: DescribeFailure;
  legacyPost: (message: Message, scope: RequestScope) => Answer;
  legacyGet: (scope: RequestScope) => Answer;
  legacyDelete: (scope: RequestScope) => Answer;
  modernPost: (message: Message, scope: RequestScope) => Answer;
  /** Whether anything new is begun here. @throws AppError when not. */
  requireOpen: () => void;
}

const JSON_TYPE = 'application/json';
/** Longer than any server may take to start by default; the runtime takes at most 255. */
const PATIENCE_SECONDS = 240;

/** `/mcp/<name>`, one native route for each backend: both eras of clients on one address. */
export function mcpRoutes(deps: McpRoutesDeps): NativeRoutes {
  return Object.fromEntries(
    deps.backends.map((backend) => [`/mcp/${backend.name}`, backendRoute(backend, deps)]),
  );
}

function backendRoute(backend: Backend, deps: McpRoutesDeps): NativeHandler {
  const { origins } = deps;
  const guard = mcpGuard(backend, deps);

  return (request, _peer, connection) => {
    const caller = origins.callerOf(request);
    if (request.method === 'OPTIONS') return origins.share(origins.preflight(request, caller), caller);
    const answer = attempt(request, () => serve(deps, guard, request, connection));
    if (caller === undefined) return answer;
    return answer instanceof Promise
      ? answer.then((response) => origins.share(response, caller))
      : origins.share(answer, caller);
  };
}

/** What is refused with words of ours is answered here, so that a page may read it; anything else is the server's business. */
function attempt(request: Request, run: () => Answer): Answer {
  const onError = (error: unknown) => {
    if (error instanceof AppError) return problemResponse(error, requestContext(request));
    throw error;
  };
  try {
    const answer = run();
    return answer instanceof Promise ? answer.catch(onError) : answer;
  } catch (error) {
    return onError(error);
  }
}

function serve(deps: McpRoutesDeps, guard: McpGuard, request: Request, connection: NativeConnection): Answer {
  const handle = handlerOf(deps, guard, request.method);
  if (handle === undefined) return methodNotAllowed(request);
  deps.requireOpen();
  const admitted = guard.admit(request);
  const go = (admission: Holder | Response): Answer => {
    if (admission instanceof Response) return admission;
    return handle(toScope(request, admission, guard, connection));
  };
  return admitted instanceof Promise ? admitted.then(go) : go(admitted);
}

type Handler = (scope: RequestScope) => Answer;

function handlerOf(deps: McpRoutesDeps, guard: McpGuard, method: string): Handler | undefined {
  switch (method) {
    case 'POST':
      return (scope) => post(deps, scope);
    case 'GET':
      return legacyOnly(deps, guard, deps.legacyGet);
    case 'DELETE':
      return legacyOnly(deps, guard, deps.legacyDelete);
    default:
      return undefined;
  }
}

/** GET and DELETE are gone from 2026-07-28 on. */
function legacyOnly(deps: McpRoutesDeps, { challenge }: McpGuard, handle: Handler): Handler {
  return (scope) => {
    if (namesModern(scope.request.headers)) return methodNotAllowed(scope.request);
    return answered(deps, { era: 'legacy', id: null, challenge }, () => handle(scope));
  };
}

function post(deps: McpRoutesDeps, scope: RequestScope): Answer {
  const { request, holder } = scope;
  if (mediaType(request) !== JSON_TYPE) {
    throw new AppError('unsupported_media_type', 'unsupported_media_type', `This takes ${JSON_TYPE}.`);
  }
  return readText(request, holder.backend.messageBytes).then((text) => dispatch(deps, text, scope));
}

function dispatch(deps: McpRoutesDeps, text: string, scope: RequestScope): Answer {
  const { challenge, request } = scope;
  const message = readMessage(text);
  if (message instanceof HttpRefusal) {
    return answered(deps, { era: 'legacy', id: message.id, challenge }, () => {
      throw message;
    });
  }
  const era = isModern(message, request.headers) ? 'modern' : 'legacy';
  const id = message.kind === 'request' ? message.id : null;
  const handle = era === 'modern' ? deps.modernPost : deps.legacyPost;
  return answered(deps, { era, id, challenge }, () => handle(message, scope));
}

function readMessage(text: string): Message | HttpRefusal {
  try {
    return parseMessage(text);
  } catch (error) {
    if (error instanceof MalformedMessage) return new HttpRefusal(400, error.error, error.id);
    throw error;
  }
}

interface Asked {
  readonly era: 'legacy' | 'modern';
  readonly id: JsonRpcId | null;
  readonly challenge: string;
}

/** An error on the way becomes the JSON-RPC answer to the message that asked for it. */
function answered({ describe }: McpRoutesDeps, { era, id, challenge }: Asked, run: () => Answer): Answer {
  const onError = (thrown: unknown) => {
    const { error, status, headers } = describe(thrown, { era, origin: 'front', challenge });
    return jsonAnswer(errorMessage(id, error), status, headers);
  };
  try {
    const answer = run();
    return answer instanceof Promise ? answer.catch(onError) : answer;
  } catch (error) {
    return onError(error);
  }
}

/** The runtime reads a body of known length in one go; others are counted while they come. */
async function readText(request: Request, maxBytes: number): Promise<string> {
  const announced = request.headers.get('content-length');
  if (announced === null) return Buffer.from(await readBody(request, maxBytes)).toString('utf8');
  if (Number(announced) > maxBytes) throw bodyTooLarge();
  return request.text();
}

function toScope(
  request: Request,
  holder: Holder,
  { challenge }: McpGuard,
  connection: NativeConnection,
): RequestScope {
  return {
    request,
    holder,
    challenge,
    address: requestContext(request).address,
    keepOpen: () => connection.timeout(request, 0),
    bePatient: () => connection.timeout(request, PATIENCE_SECONDS),
  };
}

function methodNotAllowed(request: Request): Response {
  const error = new AppError(
    'method_not_allowed',
    'method_not_allowed',
    'This path does not take that method.',
  );
  const response = problemResponse(error, requestContext(request));
  response.headers.set('allow', MCP_METHODS);
  return response;
}
