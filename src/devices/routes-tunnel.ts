import type { NativeHandler, NativeRoutes } from '../http/native.ts';
import { requestContext } from '../http/request-context.ts';
import { acceptSocket, requireHandshake } from '../http/web-socket.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { signatureRefusal } from './guard-refusals.ts';
import type { DeviceGuard } from './guard-signed.ts';
import type { Hub } from './hub.ts';
import type { DeviceId } from './model.ts';

export interface TunnelRouteDeps {
  hub: Pick<Hub, 'accept' | 'abandon'>;
  guard: Pick<DeviceGuard, 'signedDevice'>;
  clock: Clock;
}

/** Where devices dial: on the host of `url`, and on that of `devices.relay_url`. */
export const TUNNEL_PATH = '/api/v1/device/tunnel';

/** Names one run of an agent; two runs at once are two agents. */
const INSTANCE_HEADER = 'postern-instance';
const INSTANCE = /^[\w-]{16,64}$/;

/** The endpoint of tunnels: a WebSocket whose handshake the device has signed. */
export function tunnelRoute({ hub, guard, clock }: TunnelRouteDeps): NativeRoutes {
  const handle: NativeHandler = async (request, _peer, connection) => {
    requireHandshake(request);
    refuseBrowsers(request);
    const { deviceId, session, publicKey } = await guard.signedDevice(request);
    const { address, userAgent } = requestContext(request);
    const instance = request.headers.get(INSTANCE_HEADER);
    const peer = {
      deviceId: deviceId as DeviceId,
      sessionId: session.id,
      address,
      userAgent,
      instance: instance !== null && INSTANCE.test(instance) ? instance : undefined,
    };
    const tunnel = await hub.accept(peer, publicKey);
    if (typeof tunnel === 'string') throw signatureRefusal(tunnel, clock.now());
    try {
      return acceptSocket(connection, request, tunnel);
    } catch (error) {
      hub.abandon(tunnel);
      throw error;
    }
  };
  return { [TUNNEL_PATH]: handle };
}

/** A page can open WebSockets, and a browser then sends cookies; no agent does either. */
function refuseBrowsers({ headers }: Request): void {
  if (!headers.has('origin') && !headers.has('cookie')) return;
  throw new AppError('forbidden', 'not_for_browsers', 'Only agents open tunnels, not pages.');
}
