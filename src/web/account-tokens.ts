import { singleParam } from '../http/form.ts';
import { type Html, html, raw } from '../http/html.ts';
import { toProblem } from '../http/problem.ts';
import type { Router } from '../http/router.ts';
import { shortcomings } from '../http/shortcomings.ts';
import { AppError } from '../lib/app-error.ts';
import { API_SCOPES, type ApiScope, hostsOf, reachesOf, scopesOf } from '../sessions/audience.ts';
import { newTokenDto } from '../sessions/dto-tokens.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import { type Session, sessionEndsAt } from '../sessions/model.ts';
import type { NamedReach, PersonalTokenRequest } from '../sessions/personal-tokens.ts';
import { sessionIdOf, unknownSession } from './account-sessions.ts';
import type { WebDeps } from './deps.ts';
import { errorNotice, field } from './fields.ts';
import { noticeOf, withNotice } from './notices.ts';
import { personPage } from './shell.ts';
import { ago, durationText, instant } from './time-text.ts';
import { orSignIn, readOwnForm, seeOther } from './visits.ts';

const PATH = '/account/tokens';
const DAY_SECONDS = 86_400;
/** Lifetimes on offer, in days, as far as the configuration allows them. */
const LIFETIMES_DAYS = [1, 7, 30, 90, 365];

const SCOPE_TEXTS: Readonly<Record<ApiScope, string>> = {
  'sessions:read': 'See my sessions and tokens',
  'sessions:write': 'End my sessions and tokens',
  'devices:read': 'See my devices',
  'devices:write': 'Rename and unpair my devices',
  'audit:read': 'Read what is recorded about me',
};

/** `/account/tokens`: personal tokens, for programs of one's own. */
export function tokenPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .get(PATH, ({ request }) =>
      orSignIn(request, async () => tokensPage(deps, request, await guard.browserSession(request))),
    )
    .post(PATH, async ({ request }) => make(deps, request, await guard.browserSession(request)))
    .post(`${PATH}/revoke`, async ({ request }) =>
      revoke(deps, request, await guard.browserSession(request)),
    );
}

async function make(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const form = await readOwnForm(request, deps);
  try {
    const issued = await deps.tokens.create(caller.session.id, wanted(form, deps), actorOf(request, caller));
    return madePage(caller, issued.token, issued.session);
  } catch (error) {
    if (!(error instanceof AppError) || error.kind !== 'unprocessable') throw error;
    return tokensPage(deps, request, caller, { refusal: error, chosen: chosenIn(form) });
  }
}

/** What somebody chose and need not choose again; a name that is not well formed is not repeated. */
interface Chosen {
  label: string | undefined;
  isChecked: (name: string) => boolean;
  reach: string | undefined;
  expiresIn: string;
}

const NOTHING_CHOSEN: Chosen = {
  label: undefined,
  isChecked: () => false,
  reach: undefined,
  expiresIn: String(30 * DAY_SECONDS),
};

function chosenIn(form: URLSearchParams): Chosen {
  return {
    label: newTokenDto.shape.label.safeParse(form.get('label')).data,
    isChecked: (name) => form.has(name),
    reach:
      reachIn(form)
        .map(({ device, service }) => `${device}/${service}`)
        .join(' ') || undefined,
    expiresIn: form.get('expires_in') ?? NOTHING_CHOSEN.expiresIn,
  };
}

/** Each box has a name of its own: a field that comes twice is refused. */
function wanted(form: URLSearchParams, { protectedHosts }: WebDeps): PersonalTokenRequest {
  const isChosen = (name: string) => singleParam(form, name) !== undefined;
  const parsed = newTokenDto.safeParse({
    label: singleParam(form, 'label') ?? '',
    hosts: protectedHosts.filter((host) => isChosen(`host ${host}`)),
    scopes: API_SCOPES.filter((scope) => isChosen(`scope ${scope}`)),
    reach: reachIn(form),
    expires_in: Number(singleParam(form, 'expires_in') ?? Number.NaN),
  });
  if (!parsed.success) {
    throw new AppError(
      'unprocessable',
      'invalid_form',
      `The form does not fit: ${shortcomings(parsed.error)}.`,
    );
  }
  const { label, hosts, scopes, reach, expires_in } = parsed.data;
  return { label, hosts, scopes, reach, lifetimeMs: expires_in * 1_000 };
}

/** What was typed as `pi/web kitchen/ssh`. Signs that neither part may have are left out, so that it can be shown again. */
function reachIn(form: URLSearchParams): NamedReach[] {
  const typed = (form.get('reach') ?? '').toLowerCase().split(/[\s,]+/);
  return typed
    .filter((each) => each !== '')
    .map((each) => {
      const [device = '', ...service] = each.replaceAll(/[^a-z0-9/_-]/g, '').split('/');
      return { device, service: service.join('/') };
    });
}

async function revoke(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const id = sessionIdOf(await readOwnForm(request, deps));
  const isRevoked = await deps.tokens.revoke(id, { ...actorOf(request, caller), userId: caller.user.id });
  if (!isRevoked) throw unknownSession();
  return seeOther(withNotice(PATH, 'token-revoked'));
}

function madePage(caller: Caller, token: string, session: Session): Response {
  const body = html`<p class="notice" role="status">This is the token. It is shown this once: copy it now.</p>
<div class="card">
<label for="token">${session.label}</label>
<textarea id="token" class="mono" rows="3" readonly>${token}</textarea>
<p>Programs send it as <code>Authorization: Bearer …</code></p>
<p><a class="button" href="${PATH}">I have copied it</a></p>
</div>`;
  return personPage(caller, { title: 'Your new token', body, path: PATH, narrow: true });
}

function tokensPage(
  deps: WebDeps,
  request: Request,
  caller: Caller,
  { refusal, chosen = NOTHING_CHOSEN }: { refusal?: AppError; chosen?: Chosen } = {},
): Response {
  const tokens = deps.tokens.list(caller.user.id);
  const body = html`${refusal === undefined ? noticeOf(request) : errorNotice(refusal.message)}
<p>A token lets a program of yours in, as you, where you allow it and nowhere else.</p>
${tokens.length > 0 && html`<div class="card">${tokenTable(tokens, deps)}</div>`}
<h2>Make a token</h2>
${tokenForm(deps, chosen)}`;
  const problem = refusal && toProblem(refusal);
  return personPage(caller, {
    title: 'Your tokens',
    body,
    status: problem?.status,
    headers: problem?.headers,
    path: PATH,
  });
}

function tokenTable(tokens: readonly Session[], { clock, deviceHandle: handleOf }: WebDeps): Html {
  const now = clock.now();
  const rows = tokens.map(
    (token) => html`<tr>
<td><strong class="any">${token.label}</strong><br><small>Made ${instant(token.createdAt)}</small></td>
<td data-label="Good for"><span class="any">${goodFor(token, handleOf)}</span></td>
<td data-label="Last used">${token.lastSeenAt > token.createdAt ? ago(token.lastSeenAt, now) : 'never'}</td>
<td data-label="Ends">${instant(sessionEndsAt(token))}</td>
<td><form class="inline" method="post" action="${PATH}/revoke">
<input type="hidden" name="id" value="${token.id}">
<button class="danger small" aria-label="Revoke: ${token.label}">Revoke</button></form></td>
</tr>
`,
  );
  return html`<table class="rows">
<thead><tr><th scope="col">Token</th><th scope="col">Good for</th><th scope="col">Last used</th><th scope="col">Ends</th><th scope="col"><span class="visually-hidden">Act</span></th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}

function goodFor({ audience }: Session, handleOf: WebDeps['deviceHandle']): Html[] {
  const reach = reachesOf(audience).map(
    ({ deviceId, service }) => `${service} of ${handleOf(deviceId) ?? 'a device that is gone'}`,
  );
  const scopes = scopesOf(audience).map((scope) => SCOPE_TEXTS[scope]);
  const texts = [...hostsOf(audience), ...reach, ...scopes];
  return texts.map((text, index) => html`${index > 0 && raw('<br>')}${text}`);
}

function tokenForm({ protectedHosts, tokenMaxLifetimeMs }: WebDeps, chosen: Chosen): Html {
  const hosts = protectedHosts.map((host) => checkbox(`host ${host}`, host, chosen));
  const scopes = API_SCOPES.map((scope) => checkbox(`scope ${scope}`, SCOPE_TEXTS[scope], chosen));
  return html`<form class="card" method="post" action="${PATH}">
${field({ name: 'label', label: 'What you call it', hint: 'So that you know later which program has it.', value: chosen.label, autocomplete: 'off', maxLength: 100 })}
${hosts.length > 0 && html`<fieldset><legend>Apps it opens</legend>${hosts}</fieldset>`}
<fieldset><legend>What it may do here</legend>${scopes}</fieldset>
${field({ name: 'reach', label: 'Services of devices it reaches', hint: 'Each as device/service, with spaces between: pi/web pi/ssh. Optional.', value: chosen.reach, autocomplete: 'off', isOptional: true })}
<label for="expires_in">How long it works</label>
<select id="expires_in" name="expires_in">${lifetimes(tokenMaxLifetimeMs, chosen)}</select>
<button>Make the token</button>
</form>`;
}

function checkbox(name: string, text: string, { isChecked }: Chosen): Html {
  return html`<label class="choice"><input type="checkbox" name="${name}"${isChecked(name) && raw(' checked')}>${text}</label>
`;
}

function lifetimes(maxMs: number, { expiresIn }: Chosen): Html[] {
  const maxSeconds = Math.floor(maxMs / 1_000);
  const offered = LIFETIMES_DAYS.map((days) => days * DAY_SECONDS).filter((seconds) => seconds < maxSeconds);
  return [...offered, maxSeconds].map(
    (seconds) =>
      html`<option value="${seconds}"${String(seconds) === expiresIn && raw(' selected')}>${durationText(seconds * 1_000)}</option>`,
  );
}
