export const AUTHORIZE_PATH = '/oauth/authorize';
/** Where a consented request goes on once an account is linked. */
export const CONTINUE_PATH = '/oauth/continue';
export const TOKEN_PATH = '/oauth/token';
export const REGISTER_PATH = '/oauth/register';
export const REVOKE_PATH = '/oauth/revoke';
export const INTROSPECT_PATH = '/oauth/introspect';
/** RFC 8628 section 3.1. */
export const DEVICE_AUTHORIZATION_PATH = '/oauth/device_authorization';
/** Where people type the code of a program or a device (RFC 8628 section 3.3). */
export const DEVICE_PATH = '/device';
/** RFC 8628 section 3.4. */
export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
/** RFC 8414 section 3. */
export const SERVER_METADATA_PATH = '/.well-known/oauth-authorization-server';
/** RFC 9728 section 3.1: the path of the resource follows. */
export const RESOURCE_METADATA_PREFIX = '/.well-known/oauth-protected-resource';

/** Accepted and without effect: every grant has a refresh token. */
export const OFFLINE_ACCESS = 'offline_access';

/** Largest form of the endpoints for programs, in bytes. */
export const FORM_MAX_BYTES = 16_384;
/** Largest registration, in bytes. */
export const REGISTRATION_MAX_BYTES = 16_384;
/** Largest client id metadata document, in bytes (draft-ietf-oauth-client-id-metadata-document section 6.6). */
export const DOCUMENT_MAX_BYTES = 5_120;
/** Time for such a document, its redirects none. */
export const DOCUMENT_TIMEOUT_MS = 5_000;

export const MAX_REDIRECT_URIS = 20;
export const MAX_REDIRECT_URI_LENGTH = 2_048;
export const MAX_CLIENT_NAME_LENGTH = 100;
export const MAX_STATE_LENGTH = 2_048;
