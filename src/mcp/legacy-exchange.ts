import { missingCapabilities } from './client-capabilities.ts';
import { ClientExchange, notification, type Outcome } from './client-exchange.ts';
import type { ClientView } from './exchange.ts';
import { type DescribeFailure, errorMessage } from './failure.ts';
import { type JsonObject, JsonRpcError, METHOD_NOT_FOUND } from './json-rpc.ts';
import type { AskBook } from './legacy-asks.ts';
import type { RequestMessage } from './message.ts';
import type { PostAnswer } from './post-answer.ts';

export interface LegacyExchangeDeps {
  client: ClientView;
  answer: PostAnswer;
  asks: AskBook;
  challenge: string;
  describe: DescribeFailure;
  /** Called once, when the call is over. */
  onEnd: () => void;
}

/** A request of a legacy client: what belongs to it goes over the stream of its own POST, answers come by further POSTs. */
export class LegacyExchange extends ClientExchange {
  readonly #request: RequestMessage;
  readonly #deps: LegacyExchangeDeps;
  readonly #open = new Set<string>();

  constructor(request: RequestMessage, deps: LegacyExchangeDeps) {
    super(request.method, request.params, deps.client);
    this.#request = request;
    this.#deps = deps;
  }

  async ask(method: string, params?: JsonObject): Promise<JsonObject> {
    const { asks, answer, client } = this.#deps;
    requireCapability(client, method, params);
    if (!answer.canStream) throw notAskable();
    const { id, answer: reply } = asks.ask((message) => this.#sendAsk(message), method, params);
    this.#open.add(id);
    try {
      return await reply;
    } finally {
      this.#open.delete(id);
    }
  }

  finish(outcome: Outcome): void {
    const { answer, asks, challenge, describe, onEnd } = this.#deps;
    const { id } = this.#request;
    for (const ask of this.#open) asks.drop(ask);
    onEnd();
    if ('result' in outcome) return answer.finish({ jsonrpc: '2.0', id, result: outcome.result });
    const { error, status, headers } = describe(outcome.error, {
      era: 'legacy',
      origin: 'backend',
      challenge,
    });
    answer.finish(errorMessage(id, error), status, headers);
  }

  protected deliver(method: string, params: JsonObject | undefined): void {
    this.#deps.answer.send(notification(method, params));
  }

  /** Whoever has gone for a moment finds the request in the log of the stream when it comes back. */
  #sendAsk(message: JsonObject): boolean {
    this.#deps.answer.send(message);
    return true;
  }
}

/** @throws JsonRpcError when the client has not said that it can be asked this. */
export function requireCapability(client: ClientView, method: string, params: JsonObject | undefined): void {
  if (missingCapabilities(client.capabilities, method, params) !== undefined) throw notAskable();
}

const notAskable = () => new JsonRpcError(METHOD_NOT_FOUND, 'The client cannot be asked this.');
