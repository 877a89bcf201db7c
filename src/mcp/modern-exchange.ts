import type { Clock } from '../lib/clock.ts';
import { missingCapabilities } from './client-capabilities.ts';
import { ClientExchange, cancelled, notification, type Outcome, timedOut } from './client-exchange.ts';
import { MAY_NEED_INPUT } from './constants.ts';
import type { ClientView, ServerAbout } from './exchange.ts';
import { type DescribeFailure, errorMessage } from './failure.ts';
import {
  isJsonObject,
  type JsonObject,
  JsonRpcError,
  type JsonRpcId,
  METHOD_NOT_FOUND,
  MISSING_CLIENT_CAPABILITY,
} from './json-rpc.ts';
import type { RequestMessage } from './message.ts';
import { metaOf } from './modern-request.ts';
import { modernResult } from './modern-result.ts';
import type { PostAnswer } from './post-answer.ts';
import type { StateBinding } from './request-state.ts';

export interface ModernExchangeDeps {
  client: ClientView;
  binding: StateBinding;
  clock: Clock;
  /** How long after the first request others may still join it. */
  gatherMs: number;
  /** Puts the call aside until its client comes back. @throws JsonRpcError. */
  park: (exchange: ModernExchange) => string;
  challenge: string;
  describe: DescribeFailure;
  /** Answers that came with the call, by the names of what the client expects to be asked. */
  early: ReadonlyMap<string, JsonObject>;
}

/** Something the backend wants to know. */
interface OpenAsk {
  readonly method: string;
  readonly params: JsonObject | undefined;
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: Error) => void;
}

/** Where answers go: one POST after another, for as long as the call goes on. */
interface Attached {
  readonly request: RequestMessage;
  readonly answer: PostAnswer;
}

/**
 * A request of a modern client. It is never asked over a stream: what the backend wants to know ends the POST with
 * `input_required`, and the call waits until the client comes back with a further POST.
 */
export class ModernExchange extends ClientExchange {
  readonly binding: StateBinding;
  /** Set once the call has a connection. */
  generation = 0;
  about: ServerAbout | undefined;
  /** Whether the grant knows of it. */
  isHeld = false;
  readonly #deps: ModernExchangeDeps;
  readonly #asks = new Map<string, OpenAsk>();
  /** An answer that came with the call serves once: who asks again was not content with it. */
  readonly #answeredEarly = new Set<string | undefined>();
  readonly #whenOver: (() => void)[] = [];
  #attached: Attached | undefined;
  #outcome: Outcome | undefined;
  #missing: JsonObject | undefined;
  #gathering = false;

  constructor(request: RequestMessage, answer: PostAnswer, deps: ModernExchangeDeps) {
    super(request.method, request.params, deps.client);
    this.binding = deps.binding;
    this.#deps = deps;
    this.#attached = { request, answer };
  }

  /** Whether the answer goes to the request of this id now. */
  isAttachedTo(id: JsonRpcId): boolean {
    return this.#attached?.request.id === id;
  }

  /** Calls `run` when the call is over. */
  whenOver(run: () => void): void {
    this.#whenOver.push(run);
  }

  /** Nobody came back in time. */
  abandon(): void {
    this.cancel(timedOut());
    this.#over();
  }

  ask(method: string, params?: JsonObject, name?: string): Promise<JsonObject> {
    if (!MAY_NEED_INPUT.has(this.method)) return Promise.reject(notAskable());
    const missing = missingCapabilities(this.client.capabilities, method, params);
    if (missing !== undefined) {
      this.#missing = { ...this.#missing, ...missing };
      return Promise.reject(notAskable());
    }
    const early = name === undefined ? undefined : this.#deps.early.get(name);
    if (early !== undefined && !this.#answeredEarly.has(name)) {
      this.#answeredEarly.add(name);
      return Promise.resolve(early);
    }
    const key = this.#freeName(name);
    const answer = new Promise<JsonObject>((resolve, reject) => {
      this.#asks.set(key, { method, params: withoutMeta(params), resolve, reject });
    });
    this.#gather();
    return answer;
  }

  /** The client has come back: `responses` by the names under which it was asked. */
  resume(request: RequestMessage, answer: PostAnswer, responses: ReadonlyMap<string, JsonObject>): void {
    this.#attached = { request, answer };
    for (const [name, response] of responses) {
      this.#asks.get(name)?.resolve(response);
      this.#asks.delete(name);
    }
    if (this.#outcome !== undefined) this.#tell();
    else if (this.#asks.size > 0) this.#gather();
  }

  finish(outcome: Outcome): void {
    for (const { reject } of this.#asks.values()) reject(cancelled());
    this.#asks.clear();
    this.#outcome = this.#judge(outcome);
    if (this.#attached === undefined) {
      // The backend went on without an answer: its client hears how it ended when it comes back, if it does so in time.
      if (this.cancelReason === undefined) return;
    } else this.#tell();
    this.#over();
  }

  protected deliver(method: string, params: JsonObject | undefined): void {
    const { request, answer } = this.#attached ?? {};
    if (request === undefined) return;
    if (method !== 'notifications/progress') return void answer?.send(notification(method, params));
    // A client that comes back brings a new token with it.
    const progressToken = metaOf(request.params)?.['progressToken'];
    if (progressToken === undefined) return;
    answer?.send(notification(method, { ...params, progressToken }));
  }

  #tell(): void {
    const { request, answer } = this.#attached ?? {};
    const outcome = this.#outcome;
    if (request === undefined || answer === undefined || outcome === undefined) return;
    const { id } = request;
    if ('result' in outcome) {
      const result = modernResult(this.method, outcome.result, this.about);
      answer.finish({ jsonrpc: '2.0', id, result });
    } else {
      const { challenge, describe } = this.#deps;
      const { error, status, headers } = describe(outcome.error, {
        era: 'modern',
        origin: 'backend',
        challenge,
      });
      answer.finish(errorMessage(id, error), status, headers);
    }
    this.#attached = undefined;
    this.#over();
  }

  #over(): void {
    for (const run of this.#whenOver.splice(0)) run();
  }

  /** A backend that failed for want of something the client cannot do has to say so by that error. */
  #judge(outcome: Outcome): Outcome {
    const failed = 'error' in outcome || outcome.result['isError'] === true;
    if (this.#missing === undefined || !failed) return outcome;
    return { error: missingCapability(this.#missing) };
  }

  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#deps.clock.setTimer(this.#deps.gatherMs, () => {
      this.#gathering = false;
      this.#requireInput();
    });
  }

  #requireInput(): void {
    const attached = this.#attached;
    if (attached === undefined || this.#asks.size === 0 || this.cancelReason !== undefined) return;
    const inputRequests = Object.fromEntries(
      [...this.#asks].map(([name, { method, params }]) => [name, { method, params: params ?? {} }]),
    );
    try {
      const requestState = this.#deps.park(this);
      this.#attached = undefined;
      const result = modernResult(
        this.method,
        { resultType: 'input_required', inputRequests, requestState },
        this.about,
      );
      attached.answer.finish({ jsonrpc: '2.0', id: attached.request.id, result });
    } catch (error) {
      this.cancel(error instanceof Error ? error : cancelled());
    }
  }

  #freeName(wanted: string | undefined): string {
    if (wanted !== undefined && !this.#asks.has(wanted)) return wanted;
    let number = 1;
    while (this.#asks.has(`input-${number}`)) number++;
    return `input-${number}`;
  }
}

/**
 * The answers that a client came back with. @throws JsonRpcError `INVALID_PARAMS` unless they are objects by name.
 */
export function readInputResponses(
  params: JsonObject | undefined,
  refuse: () => Error,
): Map<string, JsonObject> {
  const given = params?.['inputResponses'];
  if (given === undefined) return new Map();
  if (!isJsonObject(given)) throw refuse();
  return new Map(
    Object.entries(given).map(([name, response]) => {
      if (!isJsonObject(response)) throw refuse();
      return [name, response];
    }),
  );
}

/** What a backend wrote for its own exchange (`progressToken`) means nothing to a client that answers by POST. */
function withoutMeta(params: JsonObject | undefined): JsonObject | undefined {
  if (params?.['_meta'] === undefined) return params;
  const { _meta, ...rest } = params;
  return rest;
}

const notAskable = () => new JsonRpcError(METHOD_NOT_FOUND, 'The client cannot be asked this.');

const missingCapability = (requiredCapabilities: JsonObject) =>
  new JsonRpcError(MISSING_CLIENT_CAPABILITY, 'This needs a client that declares more capabilities.', {
    requiredCapabilities,
  });
