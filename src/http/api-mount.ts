import type { ApiLimits, ApiRoute } from './api-route.ts';
import { lazyOpenApi, type OpenApiOptions } from './openapi.ts';
import { addPathHandler } from './route-table.ts';
import type { Router } from './router.ts';

export interface ApiMountOptions extends OpenApiOptions, ApiLimits {}

/** Adds routes under their paths, and their description at `/openapi.json`. */
export function mountApi(router: Router, options: ApiMountOptions): void {
  for (const route of options.routes) {
    for (const method of methodsOf(route)) {
      addPathHandler(router, method, routerPath(route.path), (request, params) =>
        route.serve(request, params, options),
      );
    }
  }
  const text = lazyOpenApi(options);
  router.route(
    'GET',
    '/openapi.json',
    () => new Response(text(), { headers: { 'content-type': 'application/json' } }),
  );
}

/** `/users/{id}` as the router writes it: `/users/:id`. */
function routerPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/**
 * The server answers HEAD as it answers GET and leaves the body out. A stream would then stay open with nobody to read
 * it, so that such a route hears of HEAD itself.
 */
function methodsOf({ method, answer }: ApiRoute): string[] {
  return answer.contentType === 'text/event-stream' ? [method, 'HEAD'] : [method];
}
