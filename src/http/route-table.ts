import type { Elysia } from 'elysia';
import type { Router } from './router.ts';

/** Methods that a handler may be registered for. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** A handler that takes nothing from the router but the parameters of its path. */
export type PathHandler = (request: Request, params: unknown) => Promise<Response>;

const pathHandlers = new WeakMap<object, PathHandler>();

/**
 * Adds a handler that the server calls by itself once it has found the route. What the router would prepare (every header,
 * cookie and parameter of the query in objects) takes longer than most of what is answered.
 */
export function addPathHandler(router: Router, method: string, path: string, handle: PathHandler): void {
  const throughRouter = ({ request, params }: { request: Request; params: unknown }) =>
    handle(request, params);
  pathHandlers.set(throughRouter, handle);
  router.route(method, path, throughRouter);
}

/** Where a request leads. */
export interface FoundRoute {
  readonly pattern: string;
  /** Answers the request; absent where the router has to. */
  readonly handle: ((request: Request) => Promise<Response>) | undefined;
}

/** What the server has to know of the application. */
export interface RouteTable {
  /** What serves a path, `undefined` when nothing does. */
  find(method: string, path: string): FoundRoute | undefined;
  /** Methods that some pattern serves at this path. */
  methodsOf(path: string): string[];
}

/** Reads the router's own table, so that what is counted and refused is what is served. */
export function routeTable({ router }: Pick<Elysia, 'router'>): RouteTable {
  const lookUp = (method: string, path: string): FoundRoute | undefined => {
    const found = router.dynamic.find(method, path);
    if (found === null || found === undefined) return undefined;
    const { store, params } = found;
    const handle = typeof store.handle === 'function' ? pathHandlers.get(store.handle) : undefined;
    return { pattern: store.route, handle: handle && ((request) => handle(request, params)) };
  };
  const find = (method: string, path: string) => lookUp(method, path) ?? lookUp('ALL', path);
  return { find, methodsOf: (path) => METHODS.filter((method) => lookUp(method, path) !== undefined) };
}
