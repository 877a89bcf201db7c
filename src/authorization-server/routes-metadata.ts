import { notFound } from '../http/errors.ts';
import type { NativeRoutes } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { requestPath } from '../http/path.ts';
import { RESOURCE_METADATA_PREFIX, SERVER_METADATA_PATH } from './constants.ts';
import { resourceMetadata, resourceMetadataUrl, serverMetadata } from './metadata.ts';
import type { ProtectedResource } from './model.ts';
import { answerHeaders, openEndpoint } from './routes-endpoint.ts';

export interface MetadataRoutesDeps {
  origin: PublicOrigin;
  resources: () => readonly ProtectedResource[];
  /** Whether some client may show codes for people to type. */
  withCodes: boolean;
}

/** Short, so that a change of the configuration is seen soon. */
const CACHE = { 'cache-control': 'public, max-age=60' };

/** RFC 8414 and, for each resource, RFC 9728: everything in them comes from `url`, nothing from the request. */
export function metadataRoutes({ origin, resources, withCodes }: MetadataRoutesDeps): NativeRoutes {
  const headers = { ...answerHeaders(origin), ...CACHE };
  const answer = (body: unknown) => new Response(JSON.stringify(body), { headers });
  const server = openEndpoint(['GET', 'HEAD'], () =>
    answer(serverMetadata(origin.origin, resources(), withCodes)),
  );
  const resource = openEndpoint(['GET', 'HEAD'], (request) => {
    const asked = origin.origin + requestPath(request);
    const found = resources().find((each) => resourceMetadataUrl(each) === asked);
    if (found === undefined) throw notFound();
    return answer(resourceMetadata(origin.origin, found));
  });
  return { [SERVER_METADATA_PATH]: server, [`${RESOURCE_METADATA_PREFIX}/*`]: resource };
}
