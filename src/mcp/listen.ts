import { AppError } from '../lib/app-error.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { notification } from './client-exchange.ts';
import { MAX_URI_LENGTH, META_SERVER_INFO, META_SUBSCRIPTION_ID } from './constants.ts';
import type { Attachment, Broker, ClientView, Lease, ServerAbout, UnsolicitedView } from './exchange.ts';
import { INVALID_PARAMS, isJsonObject, type JsonObject, JsonRpcError, METHOD_NOT_FOUND } from './json-rpc.ts';
import { wantsLog } from './log-levels.ts';
import type { RequestMessage } from './message.ts';
import { encodeMessage, type MessageStream, messageStream, STREAM_HEADERS } from './message-stream.ts';
import type { RequestScope } from './request-scope.ts';

/** Streams that one grant may listen on at once. */
const MAX_PER_GRANT = 32;
const MAX_RESOURCES = 256;

export interface ListenersDeps {
  broker: Pick<Broker, 'attach' | 'lease'>;
  ledger: Pick<Ledger, 'attach'>;
}

/** Open `subscriptions/listen` of modern clients. Disposing ends them. */
export interface Listeners extends Disposable {
  listen(message: RequestMessage, client: ClientView, scope: RequestScope): Promise<Response>;
  keepAlive(): void;
  readonly count: number;
}

/** What a client asked to hear of, as far as the backend tells of it. */
interface Filter {
  readonly methods: ReadonlySet<string>;
  readonly resources: readonly string[];
  /** As it is acknowledged. */
  readonly honoured: JsonObject;
}

/** `subscriptions/listen` (2026-07-28, basic utilities, "Subscriptions"). */
export function listeners({ broker, ledger }: ListenersDeps): Listeners {
  const open = new Set<Listener>();
  /** Streams of each grant, those included that still wait for their backend. */
  const taken = new Map<string, number>();
  const takePlace = (sessionId: string): Disposable => {
    const count = taken.get(sessionId) ?? 0;
    if (count >= MAX_PER_GRANT) {
      throw new JsonRpcError(INVALID_PARAMS, 'End another subscription first.');
    }
    taken.set(sessionId, count + 1);
    return {
      [Symbol.dispose]() {
        const left = (taken.get(sessionId) ?? 0) - 1;
        if (left > 0) taken.set(sessionId, left);
        else taken.delete(sessionId);
      },
    };
  };

  return {
    async listen(message, client, scope) {
      const { session } = scope.holder;
      const held = new DisposableStack();
      held.use(takePlace(session.id));
      let listener: Listener | undefined;
      let hasEnded = false;
      // Before anything is waited for: an end meanwhile would otherwise be told to nobody.
      const onEnd = () => {
        hasEnded = true;
        listener?.end();
      };
      let lease: Lease | undefined;
      try {
        held.use(ledger.attach(session.id, onEnd));
        scope.bePatient();
        lease = await broker.lease(scope.holder);
        if (hasEnded) throw sessionEnded();
        const { about } = lease.connection;
        const filter = readFilter(message.params, about.capabilities);
        const resources = new DisposableStack();
        const current = new Listener({ message, client, filter, about }, () => {
          open.delete(current);
          held.dispose();
          resources.dispose();
        });
        listener = current;
        open.add(current);
        const attachment = resources.use(broker.attach(scope.holder, current));
        await subscribeAll(attachment, filter.resources, current);
        if (Object.keys(filter.honoured).length === 0) current.end();
        scope.keepOpen();
        return new Response(current.body, { headers: STREAM_HEADERS });
      } finally {
        if (listener === undefined) held.dispose();
        lease?.release();
      }
    },
    keepAlive() {
      for (const listener of open) listener.keepAlive();
    },
    get count() {
      return open.size;
    },
    [Symbol.dispose]() {
      for (const listener of open) listener.end();
    },
  };
}

async function subscribeAll(
  attachment: Attachment,
  uris: readonly string[],
  listener: Listener,
): Promise<void> {
  try {
    await Promise.all(uris.map((uri) => attachment.subscribe(uri)));
  } catch (error) {
    listener.end();
    throw error;
  }
}

const sessionEnded = () =>
  new AppError('unauthorized', 'session_ended', 'The session that asked for this has ended.');

interface ListenerOptions {
  message: RequestMessage;
  client: ClientView;
  filter: Filter;
  about: ServerAbout;
}

class Listener implements UnsolicitedView {
  readonly client: ClientView;
  readonly #options: ListenerOptions;
  readonly #stream: MessageStream;
  readonly #onEnd: () => void;
  #ended = false;

  constructor(options: ListenerOptions, onEnd: () => void) {
    this.client = options.client;
    this.#options = options;
    this.#onEnd = onEnd;
    const acknowledged = this.#stamped('notifications/subscriptions/acknowledged', {
      notifications: options.filter.honoured,
    });
    this.#stream = messageStream(encodeMessage(acknowledged), () => this.#over());
  }

  get body(): MessageStream['body'] {
    return this.#stream.body;
  }

  deliver(method: string, params?: JsonObject): boolean {
    if (!this.#wants(method, params)) return false;
    return this.#stream.write(encodeMessage(this.#stamped(method, params)));
  }

  ask(): Promise<JsonObject> {
    return Promise.reject(new JsonRpcError(METHOD_NOT_FOUND, 'The client is asked within a call only.'));
  }

  keepAlive(): void {
    this.#stream.keepAlive();
  }

  /** Ends the stream with its result, as a server that shuts down does. */
  end(): void {
    if (this.#ended) return;
    const { message, about } = this.#options;
    const _meta = { [META_SUBSCRIPTION_ID]: message.id, [META_SERVER_INFO]: about.serverInfo };
    const result = { resultType: 'complete', _meta };
    this.#stream.write(encodeMessage({ jsonrpc: '2.0', id: message.id, result }));
    this.#stream.close();
    this.#over();
  }

  #over(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
  }

  #wants(method: string, params: JsonObject | undefined): boolean {
    const { methods, resources } = this.#options.filter;
    if (method === 'notifications/message') return wantsLog(this.client, params);
    if (method !== 'notifications/resources/updated') return methods.has(method);
    return resources.some((uri) => uri === params?.['uri']);
  }

  #stamped(method: string, params: JsonObject | undefined): JsonObject {
    const meta = isJsonObject(params?.['_meta']) ? params['_meta'] : {};
    const _meta = { ...meta, [META_SUBSCRIPTION_ID]: this.#options.message.id };
    return notification(method, { ...params, _meta });
  }
}

const LIST_CHANGES = [
  { member: 'toolsListChanged', kind: 'tools' },
  { member: 'promptsListChanged', kind: 'prompts' },
  { member: 'resourcesListChanged', kind: 'resources' },
] as const;

/** @throws JsonRpcError `INVALID_PARAMS`. */
function readFilter(params: JsonObject | undefined, capabilities: JsonObject): Filter {
  const wanted = params?.['notifications'];
  if (!isJsonObject(wanted)) throw new JsonRpcError(INVALID_PARAMS, '"notifications" has to be an object.');
  const changes = LIST_CHANGES.filter(
    ({ member, kind }) => wanted[member] === true && declares(capabilities, kind, 'listChanged'),
  );
  const resources = declares(capabilities, 'resources', 'subscribe') ? readResources(wanted) : [];
  return {
    methods: new Set(changes.map(({ kind }) => `notifications/${kind}/list_changed`)),
    resources,
    honoured: {
      ...Object.fromEntries(changes.map(({ member }) => [member, true])),
      ...(resources.length > 0 && { resourceSubscriptions: resources }),
    },
  };
}

function readResources({ resourceSubscriptions: given }: JsonObject): string[] {
  if (given === undefined) return [];
  const isList = Array.isArray(given) && given.length <= MAX_RESOURCES;
  if (!isList || !given.every((uri) => typeof uri === 'string' && uri.length <= MAX_URI_LENGTH)) {
    throw new JsonRpcError(
      INVALID_PARAMS,
      '"resourceSubscriptions" has to be a list of URIs, and not too long.',
    );
  }
  return [...new Set(given)];
}

function declares(capabilities: JsonObject, kind: string, feature: string): boolean {
  const declared = capabilities[kind];
  return isJsonObject(declared) && declared[feature] === true;
}
