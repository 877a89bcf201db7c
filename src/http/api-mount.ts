import { Elysia } from 'elysia';
import { AppError } from '../lib/app-error.ts';
import type { ApiLimits, ApiRoute } from './api-route.ts';
import { problemResponse } from './problem.ts';
import { requestContext } from './request-context.ts';

/** Stands in for a body that our own reader takes from the request; it must be truthy. */
const LEFT_UNREAD = Object.freeze({});

/**
 * Serves routes under their paths, and answers 405 for the other methods of those paths.
 * Without ahead-of-time compilation Elysia takes no notice of `parse: 'none'` and reads every body itself, before
 * anybody is authenticated and without a limit; a parser of ours that answers something keeps it from that.
 */
export function mountApi(routes: readonly ApiRoute[], limits: ApiLimits) {
  const api = new Elysia({ aot: false, name: 'api', strictPath: true }).onParse(() => LEFT_UNREAD);
  for (const route of routes) {
    const serve = ({ request, params }: { request: Request; params: unknown }) =>
      route.serve(request, params, limits);
    api.route(route.method, routerPath(route.path), serve);
    if (hasHead(route)) api.route('HEAD', routerPath(route.path), serve);
  }
  for (const [path, allowed] of methodsByPath(routes)) {
    api.all(routerPath(path), ({ request }) => refuseMethod(request, allowed));
  }
  return api;
}

/** `/users/{id}` as the router writes it: `/users/:id`. */
export function routerPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** The runtime sends no body with an answer to HEAD (RFC 9110 section 9.3.2); a stream has nothing else to say. */
function hasHead(route: ApiRoute): boolean {
  return route.method === 'GET' && route.answer.contentType !== 'text/event-stream';
}

function methodsByPath(routes: readonly ApiRoute[]): Map<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const route of routes) {
    const known = methods.get(route.path) ?? [];
    methods.set(route.path, [...known, route.method, ...(hasHead(route) ? ['HEAD'] : [])]);
  }
  return methods;
}

/** A 405 names what is allowed (RFC 9110 section 15.5.6), which no other refusal has to. */
function refuseMethod(request: Request, allowed: readonly string[]): Response {
  const refusal = new AppError(
    'method_not_allowed',
    'method_not_allowed',
    'This path does not take that method.',
  );
  const response = problemResponse(refusal, requestContext(request));
  response.headers.set('allow', allowed.join(', '));
  return response;
}
