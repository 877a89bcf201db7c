import { newId } from '../lib/random.ts';

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

/** @throws Error when nobody recorded the request: that is a bug of the server. */
export function requestContext(request: Request): RequestContext {
  const context = contexts.get(request);
  if (context === undefined) throw new Error('the request has no context');
  return context;
}

export function setRequestContext(request: Request, context: RequestContext): void {
  contexts.set(request, context);
}

/** A context made from the request and what its connection told. The id is made when somebody asks for it. */
export function newRequestContext(request: Request, address: string, peerTrusted: boolean): RequestContext {
  let id: string | undefined;
  return {
    get id() {
      id ??= newId('req');
      return id;
    },
    address,
    peerTrusted,
    get userAgent() {
      return request.headers.get('user-agent')?.slice(0, USER_AGENT_LENGTH);
    },
  };
}
