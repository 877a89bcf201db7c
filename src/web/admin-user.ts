import { singleParam } from '../http/form.ts';
import { type Html, html, raw } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import type { User, UserId } from '../users/model.ts';
import { addressOf, providerLabels, sessionIdOf, unknownSession } from './account-sessions.ts';
import { linkPage, roleOf, USERS_PATH } from './admin-users.ts';
import type { WebDeps } from './deps.ts';
import { noticeOf, withNotice } from './notices.ts';
import { devicesChoice, sessionList, wantsDevices } from './session-list.ts';
import { personPage } from './shell.ts';
import { instant } from './time-text.ts';
import { orSignIn, readOwnForm, seeOther } from './visits.ts';

/** What an owner's form is about. */
interface Act {
  deps: WebDeps;
  request: Request;
  caller: Caller;
  user: User;
  form: URLSearchParams;
  /** The page of this person. */
  path: string;
}

const ACTS: Readonly<Record<string, (act: Act) => Promise<Response>>> = {
  role: changeRole,
  disable,
  enable,
  remove,
  'reset-password': resetPassword,
  'end-session': endSession,
  'end-sessions': endSessions,
};

/** `/admin/users/<id>`: one person, with what an owner may do about them. */
export function userPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router.get(`${USERS_PATH}/:id`, ({ request, params }) =>
    orSignIn(request, async () => {
      const caller = await guard.owner(request);
      return userPage(deps, request, caller, requireUser(deps, params.id));
    }),
  );
  for (const [name, run] of Object.entries(ACTS)) {
    router.post(`${USERS_PATH}/:id/${name}`, async ({ request, params }) => {
      const caller = await guard.owner(request);
      const form = await readOwnForm(request, deps);
      const user = requireUser(deps, params.id);
      return run({ deps, request, caller, user, form, path: `${USERS_PATH}/${user.id}` });
    });
  }
}

function requireUser({ people }: WebDeps, id: string): User {
  const user = people.store.find(id as UserId);
  if (user === undefined) throw new AppError('not_found', 'unknown_user', 'There is no such user.');
  return user;
}

async function changeRole({ deps, request, caller, user, form, path }: Act): Promise<Response> {
  await deps.people.acts.setRole(user.id, roleOf(form), actorOf(request, caller));
  return seeOther(withNotice(path, 'role-changed'));
}

async function disable({ deps, request, caller, user, form, path }: Act): Promise<Response> {
  await deps.people.acts.disable(user.id, actorOf(request, caller), { devices: wantsDevices(form) });
  return seeOther(withNotice(path, 'user-disabled'));
}

async function enable({ deps, request, caller, user, path }: Act): Promise<Response> {
  await deps.people.acts.enable(user.id, actorOf(request, caller));
  return seeOther(withNotice(path, 'user-enabled'));
}

/** There is no way back, so that a box has to be ticked. */
async function remove({ deps, request, caller, user, form }: Act): Promise<Response> {
  if (singleParam(form, 'sure') === undefined) {
    throw new AppError('unprocessable', 'not_confirmed', 'Tick the box to remove somebody for good.');
  }
  await deps.people.acts.remove(user.id, actorOf(request, caller));
  return seeOther(withNotice(USERS_PATH, 'user-removed'));
}

async function resetPassword({ deps, request, caller, user }: Act): Promise<Response> {
  const made = await deps.local.invitations.issueReset(user.id, actorOf(request, caller));
  const text = `Hand this link to ${user.displayName} alone: whoever opens it sets the password of ${user.username}.`;
  return linkPage(caller, made, 'A new password', text);
}

async function endSession({ deps, request, caller, user, form, path }: Act): Promise<Response> {
  const id = sessionIdOf(form);
  if ((await deps.ledger.find(id))?.userId !== user.id) throw unknownSession();
  await deps.ledger.end(id, {
    reason: 'ended_by_owner',
    actorUserId: caller.user.id,
    address: addressOf(request),
  });
  return seeOther(withNotice(path, 'session-ended'));
}

async function endSessions({ deps, request, caller, user, form, path }: Act): Promise<Response> {
  const context = {
    reason: 'ended_by_owner',
    actorUserId: caller.user.id,
    address: addressOf(request),
  } as const;
  await deps.ledger.endAll(user.id, { ...context, devices: wantsDevices(form) });
  return seeOther(withNotice(path, 'sessions-ended'));
}

async function userPage(deps: WebDeps, request: Request, caller: Caller, user: User): Promise<Response> {
  const path = `${USERS_PATH}/${user.id}`;
  const sessions = await deps.ledger.list(user.id);
  const devices = devicesChoice(sessions);
  const list = sessionList(sessions, {
    now: deps.clock.now(),
    current: caller.session.id,
    labelOf: providerLabels(deps),
    endPath: `${path}/end-session`,
  });
  const body = html`<p><a href="${USERS_PATH}">All people</a></p>
${noticeOf(request)}
<section class="card" aria-label="About">${facts(deps, user)}</section>
<h2>Sessions</h2>
${
  sessions.length === 0
    ? html`<p>Signed in nowhere.</p>`
    : html`<div class="card">${list}</div>
<form method="post" action="${path}/end-sessions">${devices}<button class="danger">End all sessions</button></form>`
}
<h2>Change</h2>
${changes(user, path, devices)}
<p><a href="/admin/audit?user=${user.id}">What is recorded about ${user.username}</a></p>`;
  return personPage(caller, { title: user.username, body, path });
}

function facts(deps: WebDeps, user: User): Html {
  const labelOf = providerLabels(deps);
  const ways = deps.people.store.identitiesOf(user.id).map(({ provider }) => labelOf(provider));
  if (deps.local.passwords.has(user)) ways.push('password');
  return html`<dl>
<dt>Name</dt><dd>${user.displayName}</dd>
<dt>E-mail</dt><dd>${user.email ?? 'none that is verified'}</dd>
<dt>Groups</dt><dd>${user.groups.length === 0 ? 'none' : user.groups.join(', ')}</dd>
<dt>Role</dt><dd>${user.role}</dd>
<dt>Status</dt><dd>${user.status}</dd>
<dt>Signs in by</dt><dd>${ways.length === 0 ? 'nothing yet' : ways.join(', ')}</dd>
<dt>Known since</dt><dd>${instant(user.createdAt)}</dd>
<dt>Last sign-in</dt><dd>${user.lastSignInAt === undefined ? 'never' : instant(user.lastSignInAt)}</dd>
<dt>Id</dt><dd><code>${user.id}</code></dd>
</dl>`;
}

function changes({ role, status, username }: User, path: string, devices: Html | undefined): Html {
  const isSelected = (each: User['role']) => each === role && raw(' selected');
  return html`<div class="card">
<form method="post" action="${path}/role">
<label for="role">Role</label>
<select id="role" name="role"><option value="member"${isSelected('member')}>member</option><option value="owner"${isSelected('owner')}>owner</option></select>
<button class="quiet">Change the role</button>
</form>
<hr>
<div class="actions">
${
  status === 'active'
    ? html`<form class="inline" method="post" action="${path}/disable">${devices}<button class="danger">Disable, and end all sessions</button></form>`
    : html`<form class="inline" method="post" action="${path}/enable"><button class="quiet">Enable again</button></form>`
}
<form class="inline" method="post" action="${path}/reset-password"><button class="quiet">Make a link for a new password</button></form>
</div>
<hr>
<form method="post" action="${path}/remove">
<p><label class="choice"><input type="checkbox" name="sure" required>Remove ${username} for good, with all sessions, tokens and devices</label></p>
<button class="danger">Remove</button>
</form>
</div>`;
}
