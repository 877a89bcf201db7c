import type { Device } from '../devices/model.ts';
import type { CarriedKind, OpenStream } from '../devices/open-stream.ts';
import type { TunnelConnection } from '../devices/tunnel-connection.ts';
import { type Html, html } from '../http/html.ts';
import type { WebDeps } from './deps.ts';
import { pathOf } from './device-paths.ts';
import { nodeWord } from './other-node.ts';
import { ago, bytesText } from './time-text.ts';

const KINDS: Readonly<Record<CarriedKind, string>> = {
  http: 'request',
  websocket: 'WebSocket',
  tcp: 'connection',
};

/** The part of a device's page that is about its tunnel, and what is open in it. */
export function tunnelPart(deps: WebDeps, device: Device): Html | undefined {
  if (!deps.hubRole.isHere) return elsewhere(deps.hubRole.holder());
  const tunnel = deps.hub.find(device.id);
  if (tunnel === undefined) return undefined;
  const { streams } = tunnel;
  return html`<h2>Tunnel</h2>
<div class="card">${facts(tunnel, deps.clock.now())}
<form method="post" action="${pathOf(device)}/tunnel/end">
<button class="danger small">Cut it</button> <small>The device dials again by itself.</small></form></div>
${
  streams.length > 0 &&
  html`<h3>Open in it</h3>
<div class="card">${streamTable(streams, device, deps)}</div>`
}`;
}

function elsewhere(node: string | undefined): Html {
  return html`<h2>Tunnel</h2>
<p>${node === undefined ? 'No node takes tunnels now: this device cannot be reached.' : html`Tunnels are at ${nodeWord(node)}. This page is answered by a node that cannot look into them.`}</p>`;
}

function facts({ connectedAt, peer, roundTripMs, bufferedBytes }: TunnelConnection, now: number): Html {
  return html`<dl>
<dt>Since</dt><dd>${ago(connectedAt, now)}</dd>
<dt>From</dt><dd class="any">${peer.address}</dd>
${
  peer.userAgent !== undefined &&
  html`<dt>Agent</dt><dd class="any">${peer.userAgent}</dd>
`
}${
  roundTripMs !== undefined &&
  html`<dt>There and back</dt><dd>${roundTripMs.toFixed(1)} ms</dd>
`
}<dt>Waiting</dt><dd>${bytesText(bufferedBytes)}</dd>
</dl>`;
}

function streamTable(streams: readonly OpenStream[], device: Device, { people, clock }: WebDeps): Html {
  const now = clock.now();
  const nameOf = ({ carried: { userId } }: OpenStream) =>
    userId === undefined ? 'a guest' : (people.store.find(userId)?.username ?? userId);
  const rows = streams.map((open) => {
    const { id, openedAt, stats } = open.stream;
    const { kind, service } = open.carried;
    return html`<tr>
<td><span class="any">${service}</span><br><small>${KINDS[kind]}</small></td>
<td data-label="For"><span class="any">${nameOf(open)}</span></td>
<td data-label="Opened">${ago(openedAt, now)}</td>
<td data-label="To the device">${bytesText(stats.bytesOut)}</td>
<td data-label="From it">${bytesText(stats.bytesIn)}</td>
<td data-label="Waiting">${bytesText(stats.queuedBytes)}</td>
<td><form class="inline" method="post" action="${pathOf(device)}/streams/end">
<input type="hidden" name="id" value="${id}">
<button class="danger small" aria-label="End ${KINDS[kind]} ${id} to ${service}">End</button></form></td>
</tr>
`;
  });
  return html`<table class="rows">
<thead><tr><th scope="col">Service</th><th scope="col">For</th><th scope="col">Opened</th><th scope="col">To the device</th><th scope="col">From it</th><th scope="col">Waiting</th><th scope="col"><span class="visually-hidden">Act</span></th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}
