import { AppError } from '../lib/app-error.ts';
import { checkCodeChallenge } from './check-pkce.ts';
import { checkPrompt, type Prompt } from './check-prompt.ts';
import { checkResource } from './check-resource.ts';
import { checkResponseType } from './check-response-type.ts';
import { checkScope, parseScope } from './check-scope.ts';
import { MAX_STATE_LENGTH } from './constants.ts';
import { AuthorizationError, type OauthClient, type ProtectedResource } from './model.ts';
import { isSameRedirectUri } from './redirect-uri.ts';

/** What of a request has been looked at before its client may be told of errors. */
export interface Addressee {
  readonly client: OauthClient;
  readonly redirectUri: string;
  readonly state: string | undefined;
}

/** A request that is in order; the person has not been asked. */
export interface CheckedRequest {
  readonly codeChallenge: string;
  readonly prompt: Prompt;
  /** One of them, where the request says which. */
  readonly resources: readonly ProtectedResource[];
}

/** The id of the client. @throws AppError `bad_request` (`invalid_authorization_request`): nobody can be told but the person. */
export function readClientId(params: URLSearchParams): string {
  const clientId = only(params, 'client_id');
  if (clientId === undefined || clientId === '') throw malformed('The request names no client.');
  return clientId;
}

/**
 * The redirect URI, which has to be one of the client's: until that is known, errors are shown and never sent anywhere
 * (RFC 6749 section 4.1.2.1). @throws AppError `bad_request` (`invalid_authorization_request`).
 */
export function readAddressee(params: URLSearchParams, client: OauthClient): Addressee {
  const redirectUri = only(params, 'redirect_uri');
  if (redirectUri === undefined) throw malformed('The request does not say where to send you back to.');
  if (!client.redirectUris.some((registered) => isSameRedirectUri(registered, redirectUri))) {
    throw malformed('The program wants you sent to an address that is not one of its own.');
  }
  const state = only(params, 'state');
  if (state !== undefined && state.length > MAX_STATE_LENGTH) throw malformed('The state is too long.');
  return { client, redirectUri, state };
}

/** Every other check, one a file. @throws AuthorizationError with what the client is told. */
export function checkRequest(
  params: URLSearchParams,
  resources: readonly ProtectedResource[],
): CheckedRequest {
  const names = [...params.keys()].filter((name) => name !== 'resource');
  if (new Set(names).size !== names.length) {
    throw new AuthorizationError('invalid_request', 'a parameter was sent twice');
  }
  if (params.has('request') || params.has('request_uri')) {
    throw new AuthorizationError('invalid_request', 'request objects are not taken');
  }
  const get = (name: string) => params.get(name) ?? undefined;
  checkResponseType(get('response_type'), get('response_mode'));
  const codeChallenge = checkCodeChallenge(get('code_challenge'), get('code_challenge_method'));
  const prompt = checkPrompt(get('prompt'));
  const scopes = parseScope(get('scope'));
  const candidates = checkResource(params.getAll('resource'), scopes, resources);
  checkScope(scopes, candidates);
  return { codeChallenge, prompt, resources: candidates };
}

function only(params: URLSearchParams, name: string): string | undefined {
  const values = params.getAll(name);
  if (values.length > 1) throw malformed('The request says something twice.');
  return values[0];
}

const malformed = (message: string) => new AppError('bad_request', 'invalid_authorization_request', message);
