import type { NativeRoutes } from '../http/native.ts';
import type { ReadinessProbe } from './readiness.ts';

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/**
 * `/healthz`: the process runs and answers. `/readyz`: so does everything that it needs, otherwise 503.
 * Both are for probes, which send any Host; they tell names of parts and nothing else.
 */
export function probeRoutes(readiness: ReadinessProbe): NativeRoutes {
  return {
    '/healthz': () => Response.json({ status: 'ok' }, { headers: HEADERS }),
    '/readyz': async () => {
      const { ready, parts } = await readiness.check();
      const status = ready ? 'ready' : 'not_ready';
      return Response.json({ status, parts }, { status: ready ? 200 : 503, headers: HEADERS });
    },
  };
}
