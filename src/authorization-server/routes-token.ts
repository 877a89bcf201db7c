import { readForm } from '../http/form.ts';
import type { NativeRoutes } from '../http/native.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Tokens } from '../sessions/ledger.ts';
import type { Clients } from './clients.ts';
import { DEVICE_CODE_GRANT, FORM_MAX_BYTES, TOKEN_PATH } from './constants.ts';
import type { codeGrant } from './grant-authorization-code.ts';
import type { deviceCodeGrant } from './grant-device-code.ts';
import type { refreshGrant } from './grant-refresh-token.ts';
import type { OauthCounts, TokenOutcome } from './metrics.ts';
import { answerHeaders, openEndpoint } from './routes-endpoint.ts';
import { invalidClient, invalidGrant } from './token-errors.ts';

export interface TokenRouteDeps {
  origin: PublicOrigin;
  clock: Clock;
  clients: Clients;
  redeem: ReturnType<typeof codeGrant>;
  refresh: ReturnType<typeof refreshGrant>;
  poll: ReturnType<typeof deviceCodeGrant>;
  counts: OauthCounts;
}

type GrantType = 'authorization_code' | 'refresh_token' | 'device_code';

const GRANT_TYPES: ReadonlyMap<string, GrantType> = new Map([
  ['authorization_code', 'authorization_code'],
  ['refresh_token', 'refresh_token'],
  [DEVICE_CODE_GRANT, 'device_code'],
]);

/** The token endpoint (RFC 6749 section 3.2), a file for each grant type. Clients are public: they say who they are, and prove nothing. */
export function tokenRoute(deps: TokenRouteDeps): NativeRoutes {
  const { origin, clock, clients, counts } = deps;
  const headers = { ...answerHeaders(origin), pragma: 'no-cache' };

  const answer = (tokens: Tokens, scope: string) =>
    new Response(
      JSON.stringify({
        access_token: tokens.access,
        token_type: 'Bearer',
        expires_in: Math.max(0, Math.floor((tokens.accessExpiresAt - clock.now()) / 1_000)),
        refresh_token: tokens.refresh,
        scope,
      }),
      { headers },
    );

  const redeem = async (request: Request, form: URLSearchParams, clientId: string) => {
    const { address, userAgent } = requestContext(request);
    const grant = await deps.redeem({
      clientId,
      code: get(form, 'code'),
      redirectUri: get(form, 'redirect_uri'),
      codeVerifier: get(form, 'code_verifier'),
      resource: get(form, 'resource'),
      origin: { address, userAgent },
    });
    if (grant === 'reused') return reused('authorization_code');
    counts.token('authorization_code', 'success');
    return answer(grant.tokens, grant.session.scope ?? '');
  };

  const refresh = async (form: URLSearchParams, clientId: string) => {
    const refreshed = await deps.refresh({
      clientId,
      refreshToken: get(form, 'refresh_token'),
      scope: get(form, 'scope'),
      resource: get(form, 'resource'),
    });
    if (refreshed === 'reused') return reused('refresh_token');
    counts.token('refresh_token', refreshed.kind === 'repeated' ? 'repeated' : 'success');
    return answer(refreshed.tokens, refreshed.scope);
  };

  const poll = async (request: Request, form: URLSearchParams, clientId: string) => {
    const { address, userAgent } = requestContext(request);
    const deviceCode = get(form, 'device_code');
    const grant = await deps.poll({ clientId, deviceCode, origin: { address, userAgent } });
    if (grant === 'reused') return reused('device_code');
    counts.token('device_code', 'success');
    return answer(grant.tokens, grant.session.scope ?? '');
  };

  const reused = (grantType: GrantType): never => {
    counts.token(grantType, 'reused');
    throw invalidGrant();
  };

  /** A client that was forgotten hears so, and registers again instead of trying for ever. */
  const refuse = (error: unknown, grantType: GrantType, clientId: string): never => {
    counts.token(grantType, outcomeOf(error));
    const isGrantError = error instanceof AppError && error.code === 'invalid_grant';
    throw isGrantError && !clients.isKnown(clientId) ? invalidClient() : error;
  };

  const exchange = async (request: Request): Promise<Response> => {
    const form = await readForm(request, FORM_MAX_BYTES);
    const grantType = requireGrantType(get(form, 'grant_type'));
    const clientId = requirePublicClient(request, form);
    const exchanges = {
      authorization_code: () => redeem(request, form, clientId),
      refresh_token: () => refresh(form, clientId),
      device_code: () => poll(request, form, clientId),
    };
    return exchanges[grantType]().catch((error: unknown) => refuse(error, grantType, clientId));
  };

  return { [TOKEN_PATH]: openEndpoint(['POST'], exchange) };
}

/** A parameter without a value is one that was not sent (RFC 6749 section 3.2). */
export function get(form: URLSearchParams, name: string): string | undefined {
  const value = form.get(name);
  return value === null || value === '' ? undefined : value;
}

/** Whoever waits for a person is refused nothing. */
function outcomeOf(error: unknown): TokenOutcome {
  const code = error instanceof AppError ? error.code : '';
  if (code === 'authorization_pending') return 'pending';
  return code === 'slow_down' ? 'slow_down' : 'refused';
}

function requireGrantType(grantType: string | undefined): GrantType {
  const known = GRANT_TYPES.get(grantType ?? '');
  if (known !== undefined) return known;
  if (grantType === undefined) throw new AppError('bad_request', 'invalid_request', 'grant_type is missing');
  throw new AppError('bad_request', 'unsupported_grant_type', 'this grant type is not offered');
}

/** @throws AppError `unauthorized` (`invalid_client`) for one that tries to prove itself, `bad_request` where it does not say who it is. */
export function requirePublicClient(request: Request, form: URLSearchParams): string {
  const proves = request.headers.has('authorization') || get(form, 'client_secret') !== undefined;
  if (proves || get(form, 'client_assertion') !== undefined) throw invalidClient();
  const clientId = get(form, 'client_id');
  if (clientId === undefined) throw new AppError('bad_request', 'invalid_request', 'client_id is missing');
  return clientId;
}
