import type { ClientView, Exchange } from './exchange.ts';
import { INTERNAL_ERROR, type JsonObject, JsonRpcError } from './json-rpc.ts';
import { wantsLog } from './log-levels.ts';

/** How a call ended: what the backend said, or what went wrong on the way. */
export type Outcome = { readonly result: JsonObject } | { readonly error: unknown };

export const cancelled = () => new JsonRpcError(INTERNAL_ERROR, 'The request was cancelled.');
export const timedOut = () => new JsonRpcError(INTERNAL_ERROR, 'The client did not answer in time.');

/** What the exchanges of both eras have in common: who asked for what, and how it is called off. */
export abstract class ClientExchange implements Exchange {
  readonly method: string;
  readonly params: JsonObject | undefined;
  readonly client: ClientView;
  #cancelling: AbortController | undefined;
  #reason: Error | undefined;
  /** Set by whoever runs the call: it ends at once when it is cancelled, whatever the backend does. */
  onCancel: ((reason: Error) => void) | undefined;

  constructor(method: string, params: JsonObject | undefined, client: ClientView) {
    this.method = method;
    this.params = params;
    this.client = client;
  }

  get signal(): AbortSignal {
    this.#cancelling ??= new AbortController();
    if (this.#reason !== undefined) this.#cancelling.abort(this.#reason);
    return this.#cancelling.signal;
  }

  get cancelReason(): Error | undefined {
    return this.#reason;
  }

  /** Calls the request off; doing so twice is harmless. */
  cancel(reason: Error = cancelled()): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#cancelling?.abort(reason);
    this.onCancel?.(reason);
  }

  notify(method: string, params?: JsonObject): void {
    if (this.#reason !== undefined) return;
    if (method === 'notifications/message' && !wantsLog(this.client, params)) return;
    try {
      this.deliver(method, params);
    } catch {
      // Nested so deeply that it cannot be written: one message less.
    }
  }

  abstract ask(method: string, params?: JsonObject, name?: string): Promise<JsonObject>;
  /** Tells the client how the call ended. */
  abstract finish(outcome: Outcome): void;
  protected abstract deliver(method: string, params: JsonObject | undefined): void;
}

export function notification(method: string, params: JsonObject | undefined): JsonObject {
  return params === undefined ? { jsonrpc: '2.0', method } : { jsonrpc: '2.0', method, params };
}
