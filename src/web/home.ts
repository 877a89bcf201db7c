import { type Html, html } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import type { Caller } from '../sessions/guard.ts';
import type { User } from '../users/model.ts';
import type { WebDeps } from './deps.ts';
import { personPage } from './shell.ts';
import { seeOther } from './visits.ts';

/** `/`: who you are, and where you can go from here. */
export function homePage(router: Router, deps: WebDeps): void {
  router.get('/', async ({ request }) => {
    const caller = await deps.guard.optionalBrowserSession(request);
    return caller === undefined ? seeOther('/sign-in') : home(deps, caller);
  });
}

function home({ appsOf }: WebDeps, caller: Caller): Response {
  const { user } = caller;
  const body = html`<section class="card" aria-labelledby="you">
<h2 id="you">Who you are here</h2>
${whoYouAre(user)}
</section>
${apps(appsOf(user))}
<section aria-labelledby="account">
<h2 id="account">Your account</h2>
<ul>
<li><a href="/account/sessions">Sessions</a>: where you are signed in, and a way to end it</li>
<li><a href="/account/tokens">Tokens</a>: access for your own programs</li>
<li><a href="/account/devices">Devices</a>: what you have paired, and how another one comes in</li>
<li><a href="/account/password">Password</a>: set a new one</li>
</ul>
</section>
${user.role === 'owner' && OWNERS_SECTION}`;
  return personPage(caller, { title: `Hello, ${user.displayName}`, body, path: '/' });
}

function whoYouAre({ username, email, role, groups }: User): Html {
  return html`<dl>
<dt>User name</dt><dd>${username}</dd>
<dt>E-mail</dt><dd>${email ?? 'none that is verified'}</dd>
<dt>Role</dt><dd>${role === 'owner' ? 'Owner of this site' : 'Member'}</dd>
${groups.length > 0 && html`<dt>Groups</dt><dd>${groups.join(', ')}</dd>`}
</dl>`;
}

function apps(origins: readonly string[]): Html | undefined {
  if (origins.length === 0) return undefined;
  const items = origins.map(
    (origin) => html`<li><a href="${origin}/">${new URL(origin).host}</a></li>
`,
  );
  return html`<section aria-labelledby="apps">
<h2 id="apps">Your apps</h2>
<ul>${items}</ul>
</section>`;
}

const OWNERS_SECTION = html`<section aria-labelledby="site">
<h2 id="site">This site</h2>
<ul>
<li><a href="/admin/users">People</a>: who may sign in, and invitations</li>
<li><a href="/admin/devices">All devices</a>: what everybody has paired</li>
<li><a href="/admin/audit">Audit</a>: what granted and what ended access</li>
</ul>
</section>`;
