import {
  AUTHORIZE_PATH,
  DEVICE_AUTHORIZATION_PATH,
  DEVICE_CODE_GRANT,
  INTROSPECT_PATH,
  OFFLINE_ACCESS,
  REGISTER_PATH,
  RESOURCE_METADATA_PREFIX,
  REVOKE_PATH,
  TOKEN_PATH,
} from './constants.ts';
import type { ProtectedResource } from './model.ts';

/**
 * RFC 8414 section 2, RFC 8628 section 4. `issuer` is the origin of `url`, byte for byte; `withCodes`: some client may show codes.
 */
export function serverMetadata(issuer: string, resources: readonly ProtectedResource[], withCodes: boolean) {
  return {
    issuer,
    authorization_endpoint: issuer + AUTHORIZE_PATH,
    token_endpoint: issuer + TOKEN_PATH,
    registration_endpoint: issuer + REGISTER_PATH,
    revocation_endpoint: issuer + REVOKE_PATH,
    revocation_endpoint_auth_methods_supported: ['none'],
    ...(withCodes && { device_authorization_endpoint: issuer + DEVICE_AUTHORIZATION_PATH }),
    introspection_endpoint: issuer + INTROSPECT_PATH,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic'],
    scopes_supported: [...resources.map(({ scope }) => scope), OFFLINE_ACCESS],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token', ...(withCodes ? [DEVICE_CODE_GRANT] : [])],
    token_endpoint_auth_methods_supported: ['none'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
    protected_resources: resources.map(({ resource }) => resource),
  };
}

/** RFC 9728 section 2. */
export function resourceMetadata(issuer: string, { name, resource, scope }: ProtectedResource) {
  return {
    resource,
    authorization_servers: [issuer],
    scopes_supported: [scope],
    bearer_methods_supported: ['header'],
    resource_name: name,
  };
}

/** Where the metadata of a resource is (RFC 9728 section 3.1). */
export function resourceMetadataUrl({ resource }: Pick<ProtectedResource, 'resource'>): string {
  const { origin, pathname } = new URL(resource);
  return origin + RESOURCE_METADATA_PREFIX + pathname;
}

/** What a 401 of a resource says in `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1). */
export function wwwAuthenticate(
  resource: Pick<ProtectedResource, 'resource' | 'scope'>,
  error?: 'invalid_token',
): string {
  const reason = error === undefined ? '' : `error="${error}", `;
  return `Bearer ${reason}resource_metadata="${resourceMetadataUrl(resource)}", scope="${resource.scope}"`;
}
