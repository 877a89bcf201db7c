import { readJson } from '../http/json-body.ts';
import type { NativeRoutes } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { requestContext } from '../http/request-context.ts';
import { REGISTER_PATH, REGISTRATION_MAX_BYTES } from './constants.ts';
import { type Registration, registrationAnswer } from './registration.ts';
import { answerHeaders, openEndpoint } from './routes-endpoint.ts';

/** The client registration endpoint (RFC 7591 section 3). */
export function registerRoute({
  origin,
  registration,
}: {
  origin: PublicOrigin;
  registration: Registration;
}): NativeRoutes {
  const headers = answerHeaders(origin);
  const register = async (request: Request): Promise<Response> => {
    const { address } = requestContext(request);
    const body = await readJson(request, REGISTRATION_MAX_BYTES);
    const client = await registration.register(body, address);
    return new Response(JSON.stringify(registrationAnswer(client)), { status: 201, headers });
  };
  return { [REGISTER_PATH]: openEndpoint(['POST'], register) };
}
