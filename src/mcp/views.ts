import { missingCapabilities } from './client-capabilities.ts';
import type { LogLevel, UnsolicitedView } from './exchange.ts';
import { LOG_LEVELS } from './exchange.ts';
import { type JsonObject, JsonRpcError, METHOD_NOT_FOUND } from './json-rpc.ts';
import { mostVerbose } from './log-levels.ts';

/** A view, with what it wants to hear. */
export interface AttachedView {
  readonly view: UnsolicitedView;
  logLevel: LogLevel | undefined;
  readonly subscriptions: Set<string>;
}

/** The views of one tenant: whichever child serves it, they hear it. */
export class Views {
  readonly #views = new Set<AttachedView>();

  get size(): number {
    return this.#views.size;
  }

  add(view: AttachedView): void {
    this.#views.add(view);
  }

  delete(view: AttachedView): boolean {
    return this.#views.delete(view);
  }

  /** What the server has to be told: one level for all. */
  logLevel(): LogLevel | undefined {
    return mostVerbose([...this.#views].map(({ logLevel }) => logLevel));
  }

  subscriptions(): Set<string> {
    return new Set([...this.#views].flatMap(({ subscriptions }) => [...subscriptions]));
  }

  isSubscribed(uri: string): boolean {
    for (const { subscriptions } of this.#views) if (subscriptions.has(uri)) return true;
    return false;
  }

  /** Hands a message to every view that wants it; `true`: a stream carried it. */
  deliver(method: string, params: JsonObject | undefined): boolean {
    let carried = false;
    for (const each of this.#views) {
      if (wants(each, method, params) && each.view.deliver(method, params)) carried = true;
    }
    return carried;
  }

  /** Asks the newest view that can be asked. @throws JsonRpcError when there is none. */
  ask(method: string, params: JsonObject | undefined): Promise<JsonObject> {
    const able = [...this.#views].findLast(
      ({ view }) => missingCapabilities(view.client.capabilities, method, params) === undefined,
    );
    if (able === undefined)
      throw new JsonRpcError(METHOD_NOT_FOUND, 'No client that can be asked this is there.');
    return able.view.ask(method, params);
  }
}

function wants(
  { logLevel, subscriptions }: AttachedView,
  method: string,
  params: JsonObject | undefined,
): boolean {
  if (method === 'notifications/message')
    return logLevel === undefined || isAtLeast(params?.['level'], logLevel);
  if (method !== 'notifications/resources/updated') return true;
  // What changed may be a part of what was subscribed to (2025-11-25, resources, "Subscriptions").
  const uri = params?.['uri'];
  return typeof uri === 'string' && [...subscriptions].some((wanted) => uri.startsWith(wanted));
}

function isAtLeast(level: unknown, least: LogLevel): boolean {
  const index = LOG_LEVELS.findIndex((known) => known === level);
  return index === -1 || index >= LOG_LEVELS.indexOf(least);
}
