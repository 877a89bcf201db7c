import { readForm } from '../http/form.ts';
import type { NativeRoutes } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { requestContext } from '../http/request-context.ts';
import type { Clock } from '../lib/clock.ts';
import { DEVICE_AUTHORIZATION_PATH, DEVICE_PATH, FORM_MAX_BYTES } from './constants.ts';
import type { DeviceRequests } from './device-requests.ts';
import { answerHeaders, openEndpoint } from './routes-endpoint.ts';
import { get, requirePublicClient } from './routes-token.ts';

export interface DeviceRouteDeps {
  origin: PublicOrigin;
  clock: Clock;
  deviceRequests: DeviceRequests;
  pollIntervalMs: number;
}

/**
 * The device authorization endpoint (RFC 8628 section 3.1). There is no `verification_uri_complete`: a code that fills itself in is
 * typed by whoever sends the link (section 5.4).
 */
export function deviceRoute({
  origin,
  clock,
  deviceRequests,
  pollIntervalMs,
}: DeviceRouteDeps): NativeRoutes {
  const headers = answerHeaders(origin);
  const begin = async (request: Request): Promise<Response> => {
    const form = await readForm(request, FORM_MAX_BYTES);
    const begun = await deviceRequests.begin({
      clientId: requirePublicClient(request, form),
      scope: get(form, 'scope'),
      resource: get(form, 'resource'),
      address: requestContext(request).address,
    });
    const body = {
      device_code: begun.deviceCode,
      user_code: begun.userCode,
      verification_uri: origin.origin + DEVICE_PATH,
      expires_in: Math.floor((begun.expiresAt - clock.now()) / 1_000),
      interval: Math.ceil(pollIntervalMs / 1_000),
    };
    return new Response(JSON.stringify(body), { headers });
  };
  return { [DEVICE_AUTHORIZATION_PATH]: openEndpoint(['POST'], begin) };
}
