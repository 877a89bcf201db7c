import { singleParam } from '../http/form.ts';
import { type Html, html } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import type { NewLink } from '../sign-in/invitations.ts';
import type { User, UserId, UserRole } from '../users/model.ts';
import type { Invitation, InvitationId } from '../users/store-invitations.ts';
import type { WebDeps } from './deps.ts';
import { noticeOf, withNotice } from './notices.ts';
import { personPage } from './shell.ts';
import { ago, instant } from './time-text.ts';
import { orSignIn, readOwnForm, seeOther } from './visits.ts';

export const USERS_PATH = '/admin/users';

/** `/admin/users`: everybody, and invitations that are open. */
export function usersPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .get(USERS_PATH, ({ request }) =>
      orSignIn(request, async () => usersPage(deps, request, await guard.owner(request))),
    )
    .post(`${USERS_PATH}/invite`, async ({ request }) => invite(deps, request, await guard.owner(request)))
    .post(`${USERS_PATH}/void-invitation`, async ({ request }) =>
      voidInvitation(deps, request, await guard.owner(request)),
    );
}

async function invite(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const role = roleOf(await readOwnForm(request, deps));
  const made = await deps.local.invitations.invite(role, actorOf(request, caller));
  const what = role === 'owner' ? 'becomes an owner of this site' : 'becomes a member';
  return linkPage(
    caller,
    made,
    'Your invitation',
    `Hand this link to one person, who ${what}. It works once.`,
  );
}

async function voidInvitation(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const id = singleParam(await readOwnForm(request, deps), 'id') ?? '';
  await deps.local.invitations.void(id as InvitationId, actorOf(request, caller));
  return seeOther(withNotice(USERS_PATH, 'invitation-voided'));
}

/** @throws AppError `unprocessable` (`unknown_role`). */
export function roleOf(form: URLSearchParams): UserRole {
  const role = singleParam(form, 'role');
  if (role === 'owner' || role === 'member') return role;
  throw new AppError('unprocessable', 'unknown_role', 'A role is either owner or member.');
}

/** A link with a secret: on the page that made it, and nowhere else. */
export function linkPage(
  caller: Caller,
  { link, expiresAt }: NewLink,
  title: string,
  text: string,
): Response {
  const body = html`<p class="notice" role="status">${text}</p>
<div class="card">
<label for="made-link">Link</label>
<textarea id="made-link" class="mono" rows="4" readonly>${link}</textarea>
<p>It is shown this once, and good until ${instant(expiresAt)}.</p>
<p><a class="button" href="${USERS_PATH}">I have copied it</a></p>
</div>`;
  return personPage(caller, { title, body, path: USERS_PATH, narrow: true });
}

async function usersPage(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const { people, local, clock } = deps;
  const users = people.store.list();
  const names = new Map(users.map(({ id, username }) => [id, username]));
  const invitations = await local.invitations.list();
  const body = html`${noticeOf(request)}
<div class="card">${userTable(users, caller, clock.now())}</div>
<h2>Invite somebody</h2>
<form class="card" method="post" action="${USERS_PATH}/invite">
<label for="role">Who is invited becomes</label>
<select id="role" name="role"><option value="member">a member</option><option value="owner">an owner, who may do all that you may</option></select>
<button>Make an invitation link</button>
</form>
${
  invitations.length > 0 &&
  html`<h2>Open invitations</h2>
<div class="card">${invitationTable(invitations, names)}</div>`
}`;
  return personPage(caller, { title: 'People', body, path: USERS_PATH });
}

function userTable(users: readonly User[], caller: Caller, now: number): Html {
  const rows = users.map(
    (user) => html`<tr>
<td><a href="${USERS_PATH}/${user.id}"><strong>${user.username}</strong></a>${user.id === caller.user.id && html` <span class="badge">You</span>`}<br>
<small>${user.displayName}</small></td>
<td data-label="E-mail"><span class="any">${user.email ?? '–'}</span></td>
<td data-label="Role">${user.role}</td>
<td data-label="Status">${user.status === 'active' ? 'active' : html`<strong>disabled</strong>`}</td>
<td data-label="Signed in">${user.lastSignInAt === undefined ? 'never' : ago(user.lastSignInAt, now)}</td>
</tr>
`,
  );
  return html`<table class="rows">
<thead><tr><th scope="col">Person</th><th scope="col">E-mail</th><th scope="col">Role</th><th scope="col">Status</th><th scope="col">Signed in</th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}

function invitationTable(invitations: readonly Invitation[], names: ReadonlyMap<UserId, string>): Html {
  const rows = invitations.map(
    ({ id, role, createdByUserId, createdAt, expiresAt }) => html`<tr>
<td data-label="For">${role === 'owner' ? 'an owner' : 'a member'}</td>
<td data-label="Made by">${createdByUserId === undefined ? 'the operator' : (names.get(createdByUserId) ?? createdByUserId)}</td>
<td data-label="Made">${instant(createdAt)}</td>
<td data-label="Ends">${instant(expiresAt)}</td>
<td><form class="inline" method="post" action="${USERS_PATH}/void-invitation">
<input type="hidden" name="id" value="${id}">
<button class="danger small">Void</button></form></td>
</tr>
`,
  );
  return html`<table class="rows">
<thead><tr><th scope="col">For</th><th scope="col">Made by</th><th scope="col">Made</th><th scope="col">Ends</th><th scope="col"><span class="visually-hidden">Act</span></th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}
