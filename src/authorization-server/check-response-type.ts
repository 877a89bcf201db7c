import { AuthorizationError } from './model.ts';

/** The code flow alone (RFC 6749 section 3.1.1), answered in the query. @throws AuthorizationError. */
export function checkResponseType(responseType: string | undefined, responseMode: string | undefined): void {
  if (responseType === undefined) {
    throw new AuthorizationError('invalid_request', 'response_type is missing');
  }
  if (responseType !== 'code') {
    throw new AuthorizationError('unsupported_response_type', 'response_type is not code');
  }
  if (responseMode !== undefined && responseMode !== 'query') {
    throw new AuthorizationError('invalid_request', 'response_mode is not query');
  }
}
