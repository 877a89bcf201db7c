import { Elysia } from 'elysia';

/** Stands in for a body that our own readers take from the request; it must be truthy. */
const LEFT_UNREAD = Object.freeze({});

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
