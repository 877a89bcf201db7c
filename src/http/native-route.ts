import { type ErrorAnswers, refuseMethod } from './errors.ts';
import type { NativeHandler, Peer } from './native.ts';
import type { PeerTable } from './peers.ts';
import { requestContext, setCurrentRequest } from './request-context.ts';
import type { RouteMeter } from './route-meter.ts';
import type { SocketHandler } from './web-socket.ts';

export interface NativeRules {
  /** Refuses a request before the handler sees it. @throws AppError. */
  guard?: (request: Request, peer: Peer) => void;
  /** Absent: the handler decides. */
  methods?: readonly string[];
}

export interface NativeRouteDeps extends NativeRules {
  peers: PeerTable;
  errors: ErrorAnswers;
  meter: RouteMeter;
}

/** What Bun's router calls. */
export type BunHandler = (
  request: Request,
  server: Bun.Server<SocketHandler>,
) => Response | Promise<Response>;

/**
 * Wraps a handler for Bun's router. A request that is answered in the same turn costs a look-up of its peer, the
 * record of where it came from and two steps to its counter; no promise is made for it.
 */
export function nativeRoute(handle: NativeHandler, deps: NativeRouteDeps): BunHandler {
  const { peers, errors, meter, guard, methods } = deps;
  const fail = (error: unknown, request: Request) => counted(errors(error, request), request);
  const counted = (response: Response, request: Request) => {
    meter.count(request.method, response.status);
    return response;
  };
  return (request, server) => {
    const peer = peers.behind(request, server);
    setCurrentRequest(request, peer, peers);
    try {
      guard?.(request, peer);
      if (methods?.includes(request.method) === false) {
        return counted(refuseMethod(errors, request, methods), request);
      }
      const answer = handle(request, peer, server);
      if (!(answer instanceof Promise)) return counted(answer, request);
      // Kept for what goes on in later turns.
      requestContext(request);
      return answer.then(
        (response) => counted(response, request),
        (error: unknown) => fail(error, request),
      );
    } catch (error) {
      return fail(error, request);
    }
  };
}
