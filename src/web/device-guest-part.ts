import type { Device } from '../devices/model.ts';
import type { GuestLink } from '../devices/store-guest-links.ts';
import { type Html, html } from '../http/html.ts';
import type { WebDeps } from './deps.ts';
import { pathOf } from './device-paths.ts';
import { field } from './fields.ts';
import { ago, durationText, instant } from './time-text.ts';

const HOUR_SECONDS = 3_600;
/** On offer, in hours; what is longer than allowed is refused. */
const LIFETIMES_HOURS = [1, 24, 168, 720];

/** The part of a device's page that is about browsers: its addresses, and who may come without an account. */
export function guestPart({ deviceReach, clock, origin }: WebDeps, device: Device): Html {
  const example = deviceReach.hostOf(device, 'SERVICE');
  if (example === undefined) {
    return html`<h2>In a browser</h2>
<p>Devices have no addresses for browsers here: whoever runs this site has not set <code>devices.base</code>.</p>`;
  }
  const links = deviceReach.links.list(device);
  const scheme = origin.secure ? 'https' : 'http';
  return html`<h2>In a browser</h2>
<p>Its services are at <code class="any">${scheme}://${example}/</code>, where SERVICE is the name that the device gives it.</p>
<h3>Guest links</h3>
<p>A guest link lets somebody without an account reach one service, as you, until it ends.</p>
${links.length > 0 && html`<div class="card">${linkTable(links, device, clock.now())}</div>`}
${linkForm(device)}`;
}

function linkTable(links: readonly GuestLink[], device: Device, now: number): Html {
  const rows = links.map(
    ({ id, label, service, uses, maxUses, lastUsedAt, expiresAt }) => html`<tr>
<td><strong class="any">${label}</strong></td>
<td data-label="Service"><span class="any">${service}</span></td>
<td data-label="Visits">${uses} of ${maxUses}${lastUsedAt !== undefined && html`, last ${ago(lastUsedAt, now)}`}</td>
<td data-label="Ends">${instant(expiresAt)}</td>
<td><form class="inline" method="post" action="${pathOf(device)}/guest-links/end">
<input type="hidden" name="id" value="${id}">
<button class="danger small" aria-label="End ${label}">End</button></form></td>
</tr>
`,
  );
  return html`<table class="rows">
<thead><tr><th scope="col">Link</th><th scope="col">Service</th><th scope="col">Visits</th><th scope="col">Ends</th><th scope="col"><span class="visually-hidden">Act</span></th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}

function linkForm(device: Device): Html {
  const lifetimes = LIFETIMES_HOURS.map(
    (hours) =>
      html`<option value="${hours * HOUR_SECONDS}">${durationText(hours * HOUR_SECONDS * 1_000)}</option>`,
  );
  return html`<form class="card" method="post" action="${pathOf(device)}/guest-links">
${field({ name: 'service', label: 'Service', hint: 'As the device names it.', autocomplete: 'off', maxLength: 31 })}
${field({ name: 'label', label: 'What you call the link', hint: 'So that you know later who has it.', autocomplete: 'off', maxLength: 100 })}
<label for="expires_in">How long it works</label>
<select id="expires_in" name="expires_in">${lifetimes}</select>
<label for="max_uses">How often it may be opened</label>
<input id="max_uses" name="max_uses" type="number" min="1" max="1000" value="10" required>
<button>Make a guest link</button>
</form>`;
}
