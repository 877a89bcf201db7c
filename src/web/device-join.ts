import type { AskingDevice } from '../devices/join-requests.ts';
import type { DeviceAbout } from '../devices/model.ts';
import { type Html, html } from '../http/html.ts';
import type { Caller } from '../sessions/guard.ts';
import { labelBadges } from './account-devices.ts';
import { ago } from './time-text.ts';

/** What a device says of itself, and the one thing about it that is certain: its key, by its fingerprint. */
export function aboutDevice(
  { request, fingerprint }: AskingDevice,
  { user }: Caller,
  now: number,
): { title: string; body: Html } {
  const { about, address, createdAt } = request;
  const facts = [
    ['Serial number', about.serial],
    ['Platform', about.platform],
    ['Chip', about.chip],
  ].flatMap(([name, value]) =>
    value === undefined
      ? []
      : [
          html`<dt>${name}</dt><dd class="any">${value}</dd>
`,
        ],
  );
  const body = html`<p>A device that calls itself <strong class="any">“${about.name}”</strong> wants to be a device of yours, <strong class="any">${user.displayName}</strong>.</p>
<div class="card"><dl>
<dt>Fingerprint</dt><dd><strong class="mono">${fingerprint}</strong></dd>
<dt>It asked</dt><dd>${ago(createdAt, now)}</dd>
<dt>From</dt><dd class="any">${address ?? 'an unknown address'}</dd>
${facts}${labelsRow(about)}</dl></div>
<p>Let it in only if you have just started it yourself, and it shows the same fingerprint. Everything else it says of itself nobody has checked.</p>`;
  return { title: 'Let a device in?', body };
}

/** A rule may let others reach every device with a label: whoever lets one in has to see what it brings. */
function labelsRow(about: Pick<DeviceAbout, 'labels'>): Html | false {
  return (
    Object.keys(about.labels).length > 0 &&
    html`<dt>Labels</dt><dd>${labelBadges(about)}<br><small>Rules of this site may let others reach devices with them.</small></dd>
`
  );
}
