import { statusOf } from '../devices/dto-deliveries.ts';
import type { Device } from '../devices/model.ts';
import type { Delivery } from '../devices/store-deliveries.ts';
import { type Html, html } from '../http/html.ts';
import type { WebDeps } from './deps.ts';
import { pathOf } from './device-paths.ts';
import { ago, instant } from './time-text.ts';

/** What a page shows; the API tells the rest. */
const SHOWN = 20;
const MAX_BODY_TEXT = 200;

const STATUS: Readonly<Record<ReturnType<typeof statusOf>, string>> = {
  queued: 'waits',
  handed_out: 'fetched, no receipt yet',
  done: 'done',
  failed: 'failed',
  expired: 'ran out',
  cancelled: 'cancelled',
};

/** The part of a device's page that is about messages which programs left for it; there is none as long as there are none. */
export function deliveryPart({ devices, clock }: WebDeps, device: Device): Html | undefined {
  const all = devices.deliveries.list(device);
  if (all.length === 0) return undefined;
  const now = clock.now();
  const rows = all.slice(0, SHOWN).map((each) => deliveryRow(each, device, now));
  return html`<h2>Deliveries</h2>
<p>Messages that your programs left for it, the newest first. The device gets them in order when it asks, and says what became of them.</p>
<div class="card"><table class="rows">
<thead><tr><th scope="col">Message</th><th scope="col">State</th><th scope="col">Left</th><th scope="col">Ends</th><th scope="col"><span class="visually-hidden">Act</span></th></tr></thead>
<tbody>
${rows}</tbody>
</table></div>`;
}

function deliveryRow(delivery: Delivery, device: Device, now: number): Html {
  const { id, body, note, createdAt, expiresAt } = delivery;
  const status = statusOf(delivery, now);
  const isWaiting = status === 'queued' || status === 'handed_out';
  const cancel = html`<form class="inline" method="post" action="${pathOf(device)}/deliveries/cancel">
<input type="hidden" name="id" value="${id}">
<button class="danger small">Cancel</button></form>`;
  return html`<tr>
<td><code class="any">${shortened(body)}</code></td>
<td data-label="State">${STATUS[status]}${note !== undefined && html`<br><small class="any">${note}</small>`}</td>
<td data-label="Left">${ago(createdAt, now)}</td>
<td data-label="Ends">${instant(expiresAt)}</td>
<td>${isWaiting && cancel}</td>
</tr>
`;
}

function shortened(text: string): string {
  const characters = Array.from(text);
  return characters.length <= MAX_BODY_TEXT ? text : `${characters.slice(0, MAX_BODY_TEXT).join('')}…`;
}
