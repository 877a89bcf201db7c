import { auditQuery } from '../audit/dto.ts';
import type { AuditRow } from '../audit/model.ts';
import { type Html, html } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import type { Caller } from '../sessions/guard.ts';
import { queryOf } from '../sign-in/routes.ts';
import { USERS_PATH } from './admin-users.ts';
import type { WebDeps } from './deps.ts';
import { personPage } from './shell.ts';
import { instant } from './time-text.ts';
import { deviceName } from './user-agent.ts';
import { orSignIn } from './visits.ts';

const PATH = '/admin/audit';

/** `/admin/audit`: what granted and what ended access, newest first. */
export function auditPages(router: Router, deps: WebDeps): void {
  router.get(PATH, ({ request }) =>
    orSignIn(request, async () => auditPage(deps, request, await deps.guard.owner(request))),
  );
}

function auditPage({ auditStore, people }: WebDeps, request: Request, caller: Caller): Response {
  const { limit, before, user } = parseQuery(request);
  // One row more than the page tells whether there is another.
  const rows = auditStore.list({
    limit: limit + 1,
    ...(user !== undefined && { userId: user }),
    ...(before !== undefined && { before }),
  });
  const shown = rows.slice(0, limit);
  const names = new Map(people.store.list().map(({ id, username }) => [id as string, username]));
  const last = rows.length > limit ? shown.at(-1) : undefined;
  const body = html`${user !== undefined && html`<p>About <strong>${names.get(user) ?? user}</strong> alone. <a href="${PATH}">Show everybody</a></p>`}
${shown.length === 0 ? html`<p>Nothing is recorded here.</p>` : html`<div class="card">${auditTable(shown, names)}</div>`}
${last !== undefined && html`<p><a class="button quiet" href="${PATH}?before=${last.id}${user !== undefined && `&user=${user}`}">Older</a></p>`}`;
  return personPage(caller, { title: 'Audit', body, path: PATH });
}

function parseQuery(request: Request) {
  const query = queryOf(request);
  const parsed = auditQuery.safeParse(Object.fromEntries(query));
  if (parsed.success && new Set(query.keys()).size === query.size) return parsed.data;
  throw new AppError('bad_request', 'invalid_query', 'The address of this page is not complete.');
}

function auditTable(rows: readonly AuditRow[], names: ReadonlyMap<string, string>): Html {
  return html`<table class="rows">
<thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Who</th><th scope="col">Whom</th><th scope="col">From</th></tr></thead>
<tbody>
${rows.map((row) => auditRow(row, names))}</tbody>
</table>`;
}

function auditRow(row: AuditRow, names: ReadonlyMap<string, string>): Html {
  const isRefused = row.outcome === 'refused';
  const detail = Object.entries(row.detail ?? {}).map(([key, value]) => `${key}: ${value}`);
  return html`<tr>
<td>${instant(row.atMs)}</td>
<td data-label="What"><strong>${row.action}</strong>${isRefused && html` <span class="badge bad">refused</span>`}
${detail.length > 0 && html`<br><small>${detail.join(', ')}</small>`}</td>
<td data-label="Who">${person(row.actorUserId, names)}</td>
<td data-label="Whom">${person(row.subjectUserId, names)}</td>
<td data-label="From">${row.address ?? '–'}${row.userAgent !== null && html`<br><small>${deviceName(row.userAgent)}</small>`}</td>
</tr>
`;
}

/** Rows outlive people: who is gone is named by their id. */
function person(id: string | null, names: ReadonlyMap<string, string>): Html | string {
  if (id === null) return '–';
  const name = names.get(id);
  return name === undefined ? html`<code>${id}</code>` : html`<a href="${USERS_PATH}/${id}">${name}</a>`;
}
