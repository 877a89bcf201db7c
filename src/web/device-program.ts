import type { AskingProgram } from '../authorization-server/device-requests.ts';
import type { ProtectedResource } from '../authorization-server/model.ts';
import { resourceChoice } from '../authorization-server/pages.ts';
import { singleParam } from '../http/form.ts';
import { type Html, html } from '../http/html.ts';
import { AppError } from '../lib/app-error.ts';
import type { Caller } from '../sessions/guard.ts';
import type { WebDeps } from './deps.ts';
import { ago } from './time-text.ts';

/** What asks, from where, and for what. Its name comes from the configuration; that it is this program that asks is nobody's promise. */
export function aboutProgram(
  { request, client, resources }: AskingProgram,
  { user }: Caller,
  now: number,
): { title: string; body: Html; choice: Html } {
  const body = html`<p>A program that calls itself <strong class="any">“${client.name}”</strong> wants to use ${what(resources)} as you, <strong class="any">${user.displayName}</strong>.</p>
<div class="card"><dl>
<dt>It asked</dt><dd>${ago(request.createdAt, now)}</dd>
<dt>From</dt><dd class="any">${request.address ?? 'an unknown address'}</dd>
</dl></div>
<p>Allow it only if you have just started this program yourself, and it shows the code that you typed. Nobody who calls or writes to you needs a code from you.</p>`;
  return { title: 'Let a program connect?', body, choice: resourceChoice(resources) };
}

function what([only, ...others]: readonly ProtectedResource[]): Html {
  if (only === undefined || others.length > 0) return html`one of the MCP servers here`;
  return html`the MCP server <strong class="any">${only.name}</strong>`;
}

/** The resource that was chosen among those that were shown. @throws AppError `unprocessable` (`invalid_form`). */
export function chosenResource({ resources }: AskingProgram, form: URLSearchParams): ProtectedResource {
  const indicator = singleParam(form, 'resource');
  const resource = resources.find((each) => each.resource === indicator);
  if (resource === undefined) throw new AppError('unprocessable', 'invalid_form', 'Choose one of them.');
  return resource;
}

/** The program goes on waiting until the account is linked that the backend needs. */
export function afterProgram(
  { upstream }: Pick<WebDeps, 'upstream'>,
  { provider }: ProtectedResource,
  { user }: Caller,
  done: string,
): string {
  if (provider === undefined || upstream.tokens.isLinked(user.id, provider)) return done;
  return upstream.tokens.linkUrl(provider, done);
}
