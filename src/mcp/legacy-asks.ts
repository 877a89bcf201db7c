import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/random.ts';
import { cancelled, timedOut } from './client-exchange.ts';
import { type DueQueue, dueQueue } from './due-queue.ts';
import type { JsonObject } from './json-rpc.ts';
import type { ResponseMessage } from './message.ts';

/** A request of a backend that a legacy client has not answered yet. */
export interface PendingAsk {
  readonly id: string;
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: Error) => void;
  readonly book: AskBook;
}

export type AskDeadlines = DueQueue<PendingAsk>;

/** One deadline for all: an ask that nobody answers is given up. */
export function askDeadlines(clock: Clock, timeoutMs: number): AskDeadlines {
  return dueQueue<PendingAsk>(clock, timeoutMs, ({ id, book }) => book.drop(id, timedOut()));
}

/** The open requests to one client, by ids of ours that no earlier life of the appliance has used. */
export class AskBook {
  readonly #open = new Map<string, PendingAsk>();
  readonly #deadlines: AskDeadlines;
  readonly #prefix = newId('ask');
  #count = 0;

  constructor(deadlines: AskDeadlines) {
    this.#deadlines = deadlines;
  }

  /** Sends a request by `send`, which says whether somebody takes it; resolves to the client's result. */
  ask(
    send: (message: JsonObject) => boolean,
    method: string,
    params?: JsonObject,
  ): { id: string; answer: Promise<JsonObject> } {
    const id = `${this.#prefix}.${++this.#count}`;
    const answer = new Promise<JsonObject>((resolve, reject) => {
      const pending: PendingAsk = { id, resolve, reject, book: this };
      this.#open.set(id, pending);
      this.#deadlines.add(pending);
    });
    if (!send({ jsonrpc: '2.0', id, method, ...(params !== undefined && { params }) })) this.drop(id);
    return { id, answer };
  }

  /** An answer of the client; one that nobody waits for any more is dropped. */
  settle({ id, outcome }: ResponseMessage): void {
    const pending = this.#take(id);
    if (pending === undefined) return;
    if ('result' in outcome) pending.resolve(outcome.result);
    else pending.reject(outcome.error);
  }

  drop(id: string, reason: Error = cancelled()): void {
    this.#take(id)?.reject(reason);
  }

  dropAll(): void {
    for (const id of this.#open.keys()) this.drop(id);
  }

  #take(id: string | number): PendingAsk | undefined {
    const pending = this.#open.get(String(id));
    if (pending === undefined) return undefined;
    this.#open.delete(pending.id);
    this.#deadlines.delete(pending);
    return pending;
  }
}
