import { readForm } from '../http/form.ts';
import { addressKey } from '../http/rate-limit.ts';
import { requestContext } from '../http/request-context.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import type { Limiter } from '../lib/limiter.ts';
import type { BackchannelLogout } from './backchannel-logout.ts';

export interface BackchannelRoutesDeps {
  logout: BackchannelLogout;
  /** Refused tokens of one address that the audit keeps: a stranger must not fill it. */
  auditLimit: Limiter;
}

/** A logout token is about one kilobyte. */
const MAX_FORM_BYTES = 65_536;

const NO_STORE = { 'cache-control': 'no-store' };

/** `/backchannel-logout/<provider>`, answered as OpenID Connect Back-Channel Logout section 2.8 says. */
export function backchannelRoutes(router: Router, deps: BackchannelRoutesDeps): void {
  router.post('/backchannel-logout/:provider', ({ request, params }) =>
    receive(deps, request, params.provider),
  );
}

async function receive({ logout, auditLimit }: BackchannelRoutesDeps, request: Request, provider: string) {
  const { address } = requestContext(request);
  try {
    const form = await readForm(request, MAX_FORM_BYTES);
    await logout.receive(provider, form.get('logout_token') ?? '', address);
    return new Response(null, { status: 200, headers: NO_STORE });
  } catch (error) {
    if (!(error instanceof AppError) || error.kind !== 'bad_request') throw error;
    if ((await auditLimit.take(addressKey(address))).ok) logout.noteRefusal(provider, address);
    const body = { error: 'invalid_request', error_description: error.message };
    return Response.json(body, { status: 400, headers: NO_STORE });
  }
}
