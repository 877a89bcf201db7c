import { newId } from '../lib/random.ts';
import type { Peer } from './native.ts';
import type { PeerTable } from './peers.ts';

/** What is known of a request before anything of it is believed. */
export interface RequestContext {
  /** Loggable; every error names it. */
  readonly id: string;
  /** The client: the right-most hop that is not a trusted proxy. */
  readonly address: string;
  /** Whether the connection itself comes from a trusted proxy. */
  readonly peerTrusted: boolean;
  /** Cut to a length that is fit to store. */
  readonly userAgent: string | undefined;
}

/** Longer user agents are cut, in characters. */
const USER_AGENT_LENGTH = 256;

const contexts = new WeakMap<Request, RequestContext>();

/**
 * The request that is being answered in this turn, with its peer: most are answered in it, and need neither a context nor a
 * place in the map.
 */
let current: Request | undefined;
let currentPeer: Peer | undefined;
let currentPeers: ClientAddresses | undefined;

/** @throws Error when nobody recorded the request: that is a bug of the server. */
export function requestContext(request: Request): RequestContext {
  const known = contexts.get(request);
  if (known !== undefined) return known;
  if (current !== request || currentPeer === undefined || currentPeers === undefined)
    throw new Error('the request has no context');
  const context = connectionContext(request, currentPeer, currentPeers);
  contexts.set(request, context);
  return context;
}

/** Records where a request came from until the end of this turn; what goes on after it asks for the context before that. */
export function setCurrentRequest(request: Request, peer: Peer, peers: ClientAddresses): void {
  current = request;
  currentPeer = peer;
  currentPeers = peers;
}

export function setRequestContext(request: Request, context: RequestContext): void {
  contexts.set(request, context);
}

/** The context of a request that came over a connection; most of it is worked out only when somebody asks. */
export function connectionContext(request: Request, peer: Peer, peers: ClientAddresses): RequestContext {
  return new ConnectionContext(request, peer, peers);
}

type ClientAddresses = Pick<PeerTable, 'clientAddress'>;

/** A class, because the getters of an object literal would be made again for every request of the hot path. */
class ConnectionContext implements RequestContext {
  readonly #request: Request;
  readonly #peer: Peer;
  readonly #peers: ClientAddresses;
  #id: string | undefined;

  constructor(request: Request, peer: Peer, peers: ClientAddresses) {
    this.#request = request;
    this.#peer = peer;
    this.#peers = peers;
  }

  get id(): string {
    this.#id ??= newId('req');
    return this.#id;
  }

  get address(): string {
    return this.#peers.clientAddress(this.#peer, this.#request.headers.get('x-forwarded-for'));
  }

  get peerTrusted(): boolean {
    return this.#peer.trusted;
  }

  get userAgent(): string | undefined {
    return this.#request.headers.get('user-agent')?.slice(0, USER_AGENT_LENGTH);
  }
}
