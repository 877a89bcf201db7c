import { can } from './connection.ts';
import { META_SUBSCRIPTION_ID } from './constants.ts';
import type { ServerAbout } from './exchange.ts';
import { isJsonObject, type JsonObject } from './json-rpc.ts';
import type { JsonRpcPeer } from './peer.ts';
import { envelope } from './request-params.ts';

export interface ModernListenerDeps {
  peer: JsonRpcPeer;
  about: ServerAbout;
  deliver: (method: string, params: JsonObject | undefined) => boolean;
}

interface Listening {
  readonly id: number;
  readonly acknowledged: Promise<void>;
  readonly acknowledge: () => void;
  /** Another has taken its place before it was acknowledged: who waits for it waits for that one. */
  superseded: boolean;
}

const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';

/**
 * Listens to what a modern server tells of itself (2026-07-28, `subscriptions/listen`): one request stays open with all
 * that is wanted; when that changes, a new one takes its place, and the old one ends once the new one is acknowledged.
 */
export function modernListener({ peer, about, deliver }: ModernListenerDeps) {
  const resources = new Set<string>();
  let current: Listening | undefined;
  let next: Listening | undefined;

  const listen = (): Promise<void> => {
    const notifications = wanted(about, resources);
    const id = peer.nextId;
    const { promise: acknowledged, resolve, reject } = Promise.withResolvers<void>();
    const listening: Listening = { id, acknowledged, acknowledge: resolve, superseded: false };
    const before = next;
    next = listening;
    if (before !== undefined) {
      before.superseded = true;
      acknowledged.then(before.acknowledge, before.acknowledge);
    }
    const over = () => {
      if (next === listening) next = undefined;
      if (current === listening) current = undefined;
    };
    const params = { _meta: envelope(undefined, about.protocolVersion), notifications };
    const request = peer.request('subscriptions/listen', params);
    const follow = async () => {
      try {
        await request;
        // It ends when the server does; one that has nothing to tell ends it at once.
        resolve();
      } catch (error) {
        if (!listening.superseded) reject(error);
      } finally {
        over();
      }
    };
    void follow();
    if (before !== undefined) peer.cancel(before.id);
    return acknowledged;
  };
  const take = (listening: Listening) => {
    const before = current;
    current = listening;
    next = undefined;
    listening.acknowledge();
    if (before !== undefined) peer.cancel(before.id);
  };
  const change = async () => {
    await listen();
  };

  return {
    /** Begins to listen, where there is anything to hear. Never rejects. */
    begin(): void {
      if (Object.keys(wanted(about, resources)).length > 0) listen().catch(() => undefined);
    },
    /** `true`: the message belongs to what is listened to, and is dealt with. */
    heard(method: string, params: JsonObject | undefined): boolean {
      const meta = isJsonObject(params?.['_meta']) ? params['_meta'] : {};
      const { [META_SUBSCRIPTION_ID]: subscription, ...kept } = meta;
      if (subscription === undefined) return false;
      if (method === ACKNOWLEDGED) {
        if (next !== undefined && subscription === next.id) take(next);
        return true;
      }
      if (subscription !== current?.id) return true;
      const { _meta, ...rest } = params ?? {};
      deliver(method, Object.keys(kept).length === 0 ? rest : { ...rest, _meta: kept });
      return true;
    },
    /** @throws JsonRpcError the server's. */
    async subscribe(uri: string): Promise<void> {
      if (resources.has(uri)) return;
      resources.add(uri);
      await change().catch((error: unknown) => {
        resources.delete(uri);
        throw error;
      });
    },
    async unsubscribe(uri: string): Promise<void> {
      if (resources.delete(uri)) await change().catch(() => undefined);
    },
  };
}

function wanted(about: ServerAbout, resources: ReadonlySet<string>): Record<string, unknown> {
  return {
    ...(can(about, 'tools', 'listChanged') && { toolsListChanged: true }),
    ...(can(about, 'prompts', 'listChanged') && { promptsListChanged: true }),
    ...(can(about, 'resources', 'listChanged') && { resourcesListChanged: true }),
    ...(resources.size > 0 && { resourceSubscriptions: [...resources] }),
  };
}
