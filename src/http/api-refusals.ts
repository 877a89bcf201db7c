import type { ApiRefusal, ApiRoute } from './api-route.ts';

const refusal = (kind: ApiRefusal['kind'], ...codes: readonly string[]): ApiRefusal[] =>
  codes.map((code) => ({ kind, code }));

/** The refusals that follow from who may call a route and from what it takes. */
export function impliedRefusals({ access, method, params, query, body }: ApiRoute): ApiRefusal[] {
  return [
    ...(access.refusals ?? refusalsOfPeople(access, method)),
    ...(method === 'GET' ? [] : refusal('unavailable', 'shutting_down')),
    ...(params === undefined ? [] : refusal('not_found', 'not_found')),
    ...(query === undefined
      ? []
      : [...refusal('bad_request', 'duplicate_parameter'), ...refusal('unprocessable', 'invalid_query')]),
    ...(body === undefined ? [] : bodyRefusals),
    ...refusal('unavailable', 'store_unavailable', 'clock_behind'),
  ];
}

function refusalsOfPeople(access: ApiRoute['access'], method: ApiRoute['method']): ApiRefusal[] {
  return [
    ...refusal('bad_request', 'duplicate_cookie', 'malformed_cookie'),
    ...refusal('unauthorized', 'not_signed_in'),
    ...(access.scope === undefined
      ? refusal('forbidden', 'browser_session_required')
      : refusal('unauthorized', 'invalid_token')),
    ...(access.ownersOnly === true ? refusal('forbidden', 'owner_required') : []),
    ...(method === 'GET' ? [] : refusal('forbidden', 'cross_origin')),
  ];
}

const bodyRefusals: readonly ApiRefusal[] = [
  ...refusal('bad_request', 'malformed_json'),
  ...refusal('payload_too_large', 'body_too_large'),
  ...refusal('unsupported_media_type', 'unsupported_media_type'),
  ...refusal('unprocessable', 'invalid_body'),
];
