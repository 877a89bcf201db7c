import type { AuditRecorder } from '../audit/recorder.ts';
import { readForm, singleParam } from '../http/form.ts';
import { requestContext } from '../http/request-context.ts';
import type { Router } from '../http/router.ts';
import type { Clock } from '../lib/clock.ts';
import type { Caller, SessionGuard } from '../sessions/guard.ts';
import { queryOf } from '../sign-in/routes.ts';
import type { UserId } from '../users/model.ts';
import {
  type Addressee,
  type CheckedRequest,
  checkRequest,
  readAddressee,
  readClientId,
} from './authorization-request.ts';
import type { Authorizations } from './authorizations.ts';
import { findResource } from './check-resource.ts';
import { type Clients, unknownClient } from './clients.ts';
import { type ConsentQuestion, type Consents, mayBeSpared, stale } from './consent.ts';
import { AUTHORIZE_PATH, CONTINUE_PATH, FORM_MAX_BYTES } from './constants.ts';
import type { OauthCounts } from './metrics.ts';
import { AuthorizationError, type AuthorizationRequest, type ProtectedResource } from './model.ts';
import { consentPage } from './pages.ts';
import { withResponse } from './redirect-uri.ts';
import { continueTo, type Leave, leaving, redirectTo, toSignIn } from './routes-leave.ts';

export interface AuthorizeRoutesDeps {
  /** The origin of `url`. */
  issuer: string;
  guard: Pick<SessionGuard, 'optionalBrowserSession' | 'browserSession'>;
  clients: Clients;
  consents: Consents;
  authorizations: Authorizations;
  resources: () => readonly ProtectedResource[];
  isLinked: (userId: UserId, provider: string) => boolean;
  /** Whether this person has let this client connect there, and that has not ended. */
  isConnected: (userId: UserId, clientId: string, resource: ProtectedResource) => boolean;
  /** A path of ours that links an account and then goes on to `returnTo`. */
  linkUrl: (provider: string, returnTo: string) => string;
  audit: AuditRecorder;
  clock: Clock;
  counts: OauthCounts;
}

/** `/oauth/authorize` (RFC 6749 section 3.1), and where it goes on once an account is linked. */
export function authorizeRoutes(router: Router, deps: AuthorizeRoutesDeps): void {
  router
    .get(AUTHORIZE_PATH, ({ request }) => authorize(deps, request))
    .post(AUTHORIZE_PATH, ({ request }) => answerConsent(deps, request))
    .get(CONTINUE_PATH, ({ request }) => resume(deps, request));
}

async function authorize(deps: AuthorizeRoutesDeps, request: Request): Promise<Response> {
  const params = queryOf(request);
  const clientId = readClientId(params);
  const caller = await deps.guard.optionalBrowserSession(request);
  // A document is fetched for people alone: strangers must not make us ask anybody anything.
  if (caller === undefined && deps.clients.needsFetching(clientId)) return toSignIn(request);
  const client = await clientOf(deps, clientId, caller);
  const addressee = readAddressee(params, client);
  const leave = leaving(params);
  try {
    const checked = checkRequest(params, deps.resources());
    if (caller === undefined) {
      if (checked.prompt.none) throw new AuthorizationError('login_required', 'nobody is signed in');
      return toSignIn(request);
    }
    return await decide(deps, { addressee, checked, caller, leave });
  } catch (error) {
    return refuse(deps, addressee, error, leave);
  }
}

async function clientOf({ clients }: AuthorizeRoutesDeps, clientId: string, caller: Caller | undefined) {
  if (caller !== undefined) return clients.get(clientId, caller.user.id);
  const client = clients.findKept(clientId);
  if (client === undefined) throw unknownClient();
  return client;
}

interface Decision {
  readonly addressee: Addressee;
  readonly checked: CheckedRequest;
  readonly caller: Caller;
  readonly leave: Leave;
}

/** Consent comes first, before anything upstream. */
async function decide(deps: AuthorizeRoutesDeps, { addressee, checked, caller, leave }: Decision) {
  const { client, redirectUri, state } = addressee;
  const { codeChallenge, prompt } = checked;
  const resources = checked.resources.filter((resource) => resource.mayUse(caller.user));
  const [only, ...others] = resources;
  if (only === undefined) throw new AuthorizationError('access_denied', 'this person may not use it');
  const asked = { clientId: client.id, clientName: client.name, redirectUri, state, codeChallenge };
  const isSpared =
    others.length === 0 &&
    !prompt.consent &&
    mayBeSpared(client, redirectUri) &&
    deps.isConnected(caller.user.id, client.id, only);
  if (isSpared) {
    return proceed(deps, { ...asked, resource: only.resource, scope: only.scope }, caller, leave);
  }
  if (prompt.none) throw new AuthorizationError('consent_required', 'the person has to be asked');
  const question = { ...asked, resources: resources.map(({ resource }) => resource) };
  const sealed = deps.consents.seal(question, caller.session.id);
  return consentPage({ client, redirectUri, resources, user: caller.user, sealed });
}

async function answerConsent(deps: AuthorizeRoutesDeps, request: Request): Promise<Response> {
  const caller = await deps.guard.browserSession(request);
  const form = await readForm(request, FORM_MAX_BYTES);
  const asked = deps.consents.open(singleParam(form, 'request') ?? '', caller.session.id);
  if (singleParam(form, 'decision') !== 'allow') {
    noteDenied(deps, request, asked, caller);
    return sendError(deps, asked, new AuthorizationError('access_denied', 'the person said no'), continueTo);
  }
  const resource = chosen(deps, asked, singleParam(form, 'resource'), caller);
  const { resources: _, ...rest } = asked;
  return proceed(deps, { ...rest, resource: resource.resource, scope: resource.scope }, caller, continueTo);
}

/** One of those that were shown, and still one that this person may use. */
function chosen(
  { resources }: AuthorizeRoutesDeps,
  asked: ConsentQuestion,
  choice: string | undefined,
  { user }: Caller,
): ProtectedResource {
  const indicator = choice ?? '';
  const resource = asked.resources.includes(indicator) ? findResource(indicator, resources()) : undefined;
  if (resource?.mayUse(user) !== true) throw stale();
  return resource;
}

/** On to the provider whose account the backend needs, or back to the client with a code. */
async function proceed(
  deps: AuthorizeRoutesDeps,
  request: AuthorizationRequest,
  caller: Caller,
  leave: Leave,
): Promise<Response> {
  const provider = missingLink(deps, request, caller);
  if (provider === undefined) return sendCode(deps, request, caller, leave);
  const secret = await deps.authorizations.wait(request, caller);
  return redirectTo(deps.linkUrl(provider, `${CONTINUE_PATH}?request=${secret}`));
}

async function resume(deps: AuthorizeRoutesDeps, request: Request): Promise<Response> {
  const caller = await deps.guard.optionalBrowserSession(request);
  if (caller === undefined) return toSignIn(request);
  const secret = singleParam(queryOf(request), 'request') ?? '';
  const waiting = await deps.authorizations.resume(secret, caller);
  if (waiting === undefined) throw stale();
  const resource = findResource(waiting.resource, deps.resources());
  if (resource?.mayUse(caller.user) !== true || missingLink(deps, waiting, caller) !== undefined) {
    const denied = new AuthorizationError('access_denied', 'no account was linked');
    return sendError(deps, waiting, denied, continueTo);
  }
  return sendCode(deps, waiting, caller, continueTo);
}

/** The provider that has to be linked first. */
function missingLink(
  { resources, isLinked }: AuthorizeRoutesDeps,
  { resource }: AuthorizationRequest,
  { user }: Caller,
): string | undefined {
  const provider = findResource(resource, resources())?.provider;
  return provider === undefined || isLinked(user.id, provider) ? undefined : provider;
}

async function sendCode(
  { authorizations, issuer, counts }: AuthorizeRoutesDeps,
  request: AuthorizationRequest,
  caller: Caller,
  leave: Leave,
): Promise<Response> {
  const code = await authorizations.issueCode(request, caller);
  counts.authorization('granted');
  return leave(withResponse(request.redirectUri, { code, state: request.state, iss: issuer }));
}

function refuse(deps: AuthorizeRoutesDeps, addressee: Addressee, error: unknown, leave: Leave): Response {
  if (error instanceof AuthorizationError) return sendError(deps, addressee, error, leave);
  throw error;
}

/** RFC 6749 section 4.1.2.1; `iss` (RFC 9207 section 2) comes with errors too. */
function sendError(
  { issuer, counts }: AuthorizeRoutesDeps,
  { redirectUri, state }: Pick<AuthorizationRequest, 'redirectUri' | 'state'>,
  { code, message }: AuthorizationError,
  leave: Leave,
): Response {
  counts.authorization(code === 'access_denied' ? 'denied' : 'refused');
  return leave(withResponse(redirectUri, { error: code, error_description: message, state, iss: issuer }));
}

function noteDenied(
  { audit, clock }: AuthorizeRoutesDeps,
  request: Request,
  { clientId }: ConsentQuestion,
  { user, session }: Caller,
): void {
  const { address, userAgent } = requestContext(request);
  audit.note({
    at: clock.now(),
    action: 'oauth.denied',
    outcome: 'refused',
    actorUserId: user.id,
    sessionId: session.id,
    address,
    userAgent,
    detail: { client: clientId },
  });
}
