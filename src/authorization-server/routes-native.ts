import type { NativeRoutes } from '../http/native.ts';
import { deviceRoute } from './routes-device.ts';
import { introspectRoute } from './routes-introspect.ts';
import { metadataRoutes } from './routes-metadata.ts';
import type { AuthorizationServer } from './routes-open.ts';
import { registerRoute } from './routes-register.ts';
import { revokeRoute } from './routes-revoke.ts';
import { tokenRoute } from './routes-token.ts';

/** The endpoints for programs, and the metadata that names them; served on the host of `url` alone. */
export function oauthRoutes({ endpoints }: AuthorizationServer): NativeRoutes {
  return {
    ...metadataRoutes(endpoints),
    ...tokenRoute(endpoints),
    ...registerRoute(endpoints),
    ...revokeRoute(endpoints),
    ...introspectRoute(endpoints),
    ...deviceRoute(endpoints),
  };
}
