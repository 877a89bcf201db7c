import { Elysia } from 'elysia';

/** Stands in for a body that our own readers take from the request; it must be truthy. */
const LEFT_UNREAD = Object.freeze({});

/** Methods that a handler may be registered for. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * The application that every feature's routes are added to; it has to exist before them.
 * No body is read and no error is answered here: handlers read with `readForm` and `readJson`, which know limits, and
 * what a handler throws comes out of `fetch`, so that the server answers all errors in one place.
 */
export function newRouter() {
  return new Elysia({ aot: false, strictPath: true, name: 'postern' })
    .onParse({ as: 'global' }, () => LEFT_UNREAD)
    .onError({ as: 'global' }, ({ error }) => {
      throw error;
    });
}

export type Router = ReturnType<typeof newRouter>;

/** What the server has to know of the application. */
export interface RouteTable {
  /** The pattern that serves a path, `undefined` when none does. */
  find(method: string, path: string): string | undefined;
  /** Methods that some pattern serves at this path. */
  methodsOf(path: string): string[];
}

/** Reads the router's own table, so that what is counted and refused is what is served. */
export function routeTable({ router }: Pick<Elysia, 'router'>): RouteTable {
  const lookUp = (method: string, path: string): string | undefined => {
    const found = router.dynamic.find(method, path);
    return found === null || found === undefined ? undefined : found.store.route;
  };
  const find = (method: string, path: string) => lookUp(method, path) ?? lookUp('ALL', path);
  return { find, methodsOf: (path) => METHODS.filter((method) => lookUp(method, path) !== undefined) };
}
