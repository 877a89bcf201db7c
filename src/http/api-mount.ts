import type { ApiLimits, ApiRoute } from './api-route.ts';
import { lazyOpenApi, type OpenApiOptions } from './openapi.ts';
import type { Router } from './router.ts';

export interface ApiMountOptions extends OpenApiOptions, ApiLimits {}

/** Adds routes under their paths, and their description at `/openapi.json`. */
export function mountApi(router: Router, options: ApiMountOptions): void {
  for (const route of options.routes) {
    const serve = ({ request, params }: { request: Request; params: unknown }) =>
      route.serve(request, params, options);
    for (const method of methodsOf(route)) router.route(method, routerPath(route.path), serve);
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
