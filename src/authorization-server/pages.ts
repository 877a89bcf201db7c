import { type Html, html } from '../http/html.ts';
import { pageResponse } from '../http/page.ts';
import type { User } from '../users/model.ts';
import { AUTHORIZE_PATH } from './constants.ts';
import type { OauthClient, ProtectedResource } from './model.ts';
import { redirectHost } from './redirect-uri.ts';

export interface ConsentPage {
  client: OauthClient;
  redirectUri: string;
  resources: readonly ProtectedResource[];
  user: User;
  /** What the form brings back (`consents.seal`). */
  sealed: string;
}

/**
 * Asks whether a client may connect. What it calls itself is shown as what it is, somebody's claim; where the answer goes is the one thing
 * that is certain, so that it stands out. Nothing of the client's is fetched or linked.
 */
export function consentPage({ client, redirectUri, resources, user, sealed }: ConsentPage): Response {
  const body = html`<p>A program that calls itself <strong class="any">“${client.name}”</strong> wants to use ${what(resources)} as you, <strong class="any">${user.displayName}</strong> (<span class="any">${user.username}</span>).</p>
<div class="card">
<p>If you allow it, you are sent back to:</p>
<p><strong class="any redirect-host">${redirectHost(redirectUri)}</strong></p>
<p><small class="any">${redirectUri}</small></p>
</div>
<p>${provenance(client)} Allow it only if you have just asked a program of yours to connect, and this is where it should lead.</p>
<form method="post" action="${AUTHORIZE_PATH}">
<input type="hidden" name="request" value="${sealed}">
${resourceChoice(resources)}
<button name="decision" value="allow">Allow</button>
<button class="quiet" name="decision" value="deny">Do not allow</button>
</form>`;
  return pageResponse({ title: 'Let a program connect?', body, user, narrow: true });
}

function what(resources: readonly ProtectedResource[]): Html {
  const [only, ...others] = resources;
  if (only === undefined || others.length > 0) return html`one of the MCP servers here`;
  return html`the MCP server <strong class="any">${only.name}</strong>`;
}

function provenance({ kind, id }: OauthClient): Html {
  switch (kind) {
    case 'configured':
      return html`Whoever runs this site entered this program in its configuration.`;
    case 'registered':
      return html`Anybody can register a program under any name; nobody has checked this one.`;
    case 'document':
      return html`It is described at <strong class="any">${new URL(id).host}</strong>; its name is what is written there.`;
  }
}

/** Which resource a program is let into. One needs no choice; its scope is told all the same. */
export function resourceChoice(resources: readonly ProtectedResource[]): Html {
  const [only, ...others] = resources;
  if (only !== undefined && others.length === 0) {
    return html`<p>It may: <code class="any">${only.scope}</code></p>
<input type="hidden" name="resource" value="${only.resource}">`;
  }
  const options = resources.map(
    ({
      name,
      resource,
      scope,
    }) => html`<p><label class="choice"><input type="radio" name="resource" value="${resource}" required>
<span class="any">${name}</span> <small><code class="any">${scope}</code></small></label></p>
`,
  );
  return html`<fieldset><legend>Which one?</legend>
${options}</fieldset>`;
}
