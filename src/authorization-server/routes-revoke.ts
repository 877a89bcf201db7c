import { readForm } from '../http/form.ts';
import type { NativeRoutes } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Ledger } from '../sessions/ledger.ts';
import { FORM_MAX_BYTES, REVOKE_PATH } from './constants.ts';
import { answerHeaders, openEndpoint } from './routes-endpoint.ts';
import { get, requirePublicClient } from './routes-token.ts';
import { invalidGrant } from './token-errors.ts';

/**
 * Revocation (RFC 7009): any token of a grant ends the grant, with all its tokens and everything that hangs on it. A token that is
 * unknown, or was revoked, is revoked enough (section 2.2).
 */
export function revokeRoute({
  origin,
  ledger,
}: {
  origin: PublicOrigin;
  ledger: Pick<Ledger, 'findGrant' | 'end'>;
}): NativeRoutes {
  const headers = answerHeaders(origin);
  const revoke = async (request: Request): Promise<Response> => {
    const form = await readForm(request, FORM_MAX_BYTES);
    const clientId = requirePublicClient(request, form);
    const token = get(form, 'token');
    if (token === undefined) throw new AppError('bad_request', 'invalid_request', 'token is missing');
    const found = ledger.findGrant(token);
    if (found !== undefined) {
      if (found.session.clientId !== clientId) throw invalidGrant();
      const { address } = requestContext(request);
      await ledger.end(found.session.id, { reason: 'client_revoked', address });
    }
    return new Response('{}', { headers });
  };
  return { [REVOKE_PATH]: openEndpoint(['POST'], revoke) };
}
