import { pairingId } from '../devices/dto-pairings.ts';
import type { MadePairing } from '../devices/pairings.ts';
import { singleParam } from '../http/form.ts';
import { type Html, html, raw } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import { qrSvg } from '../lib/qr.ts';
import { showTypedCode } from '../lib/typed-code.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import type { WebDeps } from './deps.ts';
import { DEVICES_PATH } from './device-paths.ts';
import { withNotice } from './notices.ts';
import { personPage } from './shell.ts';
import { durationText, instant } from './time-text.ts';
import { readOwnForm, seeOther } from './visits.ts';

/** `/account/devices/pair`: a code for one device, shown once, and the ones that wait. */
export function pairingPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .post(`${DEVICES_PATH}/pair`, async ({ request }) =>
      make(deps, request, await guard.browserSession(request)),
    )
    .post(`${DEVICES_PATH}/cancel-code`, async ({ request }) =>
      cancel(deps, request, await guard.browserSession(request)),
    );
}

async function make(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  await readOwnForm(request, deps);
  const made = await deps.devices.pairings.create({ ...actorOf(request, caller), userId: caller.user.id });
  return codePage(deps, caller, made, await qrSvg(made.link));
}

function codePage({ origin }: WebDeps, caller: Caller, made: MadePairing, qr: string): Response {
  const code = showTypedCode(made.code);
  // An SVG of ours, made of numbers alone.
  const image = raw(qr);
  const body = html`<p class="notice" role="status">This code lets one device in, as yours, for ${durationText(made.pairing.expiresAt - made.pairing.createdAt)} (until ${instant(made.pairing.expiresAt)}). It is shown this once.</p>
<div class="card pairing">
<div class="qr">${image}</div>
<div>
<p>Code</p>
<p class="pairing-code mono"><strong>${code}</strong></p>
<p>On the device, type:</p>
<pre>postern agent --join ${code} --server ${origin.origin}</pre>
</div>
</div>
<div class="card">
<label for="link">Or give it this link, which is what the picture says</label>
<textarea id="link" class="mono" rows="2" readonly>${made.link}</textarea>
<p>A device that scans or opens it needs no code. Whoever has the link or the code can pair one device with you: show them to nobody else.</p>
</div>
<p><a class="button" href="${DEVICES_PATH}">Done</a></p>`;
  return personPage(caller, { title: 'Pair a device', body, path: DEVICES_PATH });
}

/** Codes that a device could still redeem; what they are was shown once. */
export function waitingCodes({ devices }: WebDeps, { user }: Caller): Html | undefined {
  const waiting = devices.pairings.list(user.id);
  if (waiting.length === 0) return undefined;
  const rows = waiting.map(
    ({ id, createdAt, expiresAt }) => html`<tr>
<td data-label="Made">${instant(createdAt)}</td>
<td data-label="Ends">${instant(expiresAt)}</td>
<td><form class="inline" method="post" action="${DEVICES_PATH}/cancel-code">
<input type="hidden" name="id" value="${id}">
<button class="danger small">Cancel</button></form></td>
</tr>
`,
  );
  return html`<h3>Codes that wait for a device</h3>
<div class="card"><table class="rows">
<thead><tr><th scope="col">Made</th><th scope="col">Ends</th><th scope="col"><span class="visually-hidden">Act</span></th></tr></thead>
<tbody>
${rows}</tbody>
</table></div>`;
}

async function cancel(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const id = pairingId.safeParse(singleParam(form, 'id')).data;
  const by = { ...actorOf(request, caller), userId: caller.user.id };
  const isCancelled = id !== undefined && (await deps.devices.pairings.cancel(id, by));
  if (!isCancelled) throw new AppError('not_found', 'not_found', 'There is no such code any more.');
  return seeOther(withNotice(DEVICES_PATH, 'code-cancelled'));
}
