import { singleParam } from '../http/form.ts';
import { type Html, html } from '../http/html.ts';
import { guestLinkOf, hostsOf } from '../sessions/audience.ts';
import { PERSONAL_CLIENT_ID } from '../sessions/issuing.ts';
import { type Session, type SessionId, sessionEndsAt } from '../sessions/model.ts';
import { ago, instant } from './time-text.ts';
import { deviceName } from './user-agent.ts';

export interface SessionListOptions {
  now: number;
  /** The session that looks at the list. */
  current: SessionId;
  /** What providers are called. */
  labelOf: (provider: string) => string;
  /** Where the button of a row posts the session's `id`. */
  endPath: string;
}

/** Browsers, each with its sessions on other hosts below it, then what programs hold, and devices with their guests. */
export function sessionList(sessions: readonly Session[], options: SessionListOptions): Html {
  const ids = new Set(sessions.map(({ id }) => id));
  // What hangs on nothing that is shown stands for itself: whatever lives can be ended here.
  const browsers = sessions.filter(
    ({ kind, parentId }) => kind === 'user' && (parentId === undefined || !ids.has(parentId)),
  );
  const programs = sessions.filter(({ kind }) => kind !== 'user');
  const childrenOf = (id: SessionId) => sessions.filter(({ parentId }) => parentId === id);
  return html`${table(
    'Browsers',
    browsers.flatMap((session) => [
      browserRow(session, options),
      ...childrenOf(session.id).map((child) => childRow(child, options)),
    ]),
  )}
${
  programs.length > 0 &&
  table(
    'Programs and devices',
    programs.flatMap((session) => [
      programRow(session, options),
      ...childrenOf(session.id).map((child) => childRow(child, options)),
    ]),
  )
}`;
}

function table(caption: string, rows: readonly Html[]): Html {
  return html`<table class="rows">
<caption>${caption}</caption>
<thead><tr><th scope="col">What</th><th scope="col">From</th><th scope="col">Last seen</th><th scope="col">Ends</th><th scope="col"><span class="visually-hidden">Act</span></th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}

function browserRow(session: Session, options: SessionListOptions): Html {
  const { origin, id } = session;
  const isCurrent = id === options.current;
  const how = origin.provider === undefined ? 'password' : options.labelOf(origin.provider);
  const what = html`<strong>${deviceName(origin.userAgent)}</strong>${isCurrent && html` <span class="badge">This browser</span>`}
<br><small>Signed in ${instant(session.createdAt)} by ${how}</small>`;
  return row(session, options, what, isCurrent ? SIGN_OUT : endButton(session, options, 'Sign out'));
}

function childRow(session: Session, options: SessionListOptions): Html {
  const hosts = hostsOf(session.audience).join(', ');
  const isGuest = guestLinkOf(session) !== undefined;
  const what = html`<span class="child any">${hosts === '' ? 'Another host' : hosts}</span>${isGuest && html`<br><small>A guest, by a link</small>`}`;
  return row(session, options, what, endButton(session, options, isGuest ? 'End' : 'Sign out'));
}

function programRow(session: Session, options: SessionListOptions): Html {
  const isDevice = session.kind === 'device';
  const what = html`<strong class="any">${session.label ?? session.clientId ?? session.id}</strong>
<br><small>${programKind(session)}, ${isDevice ? 'paired' : 'made'} ${instant(session.createdAt)}</small>`;
  return row(session, options, what, endButton(session, options, isDevice ? 'Unpair' : 'Revoke'));
}

function programKind({ kind, clientId }: Session): string {
  if (kind === 'device') return 'Device';
  return clientId === PERSONAL_CLIENT_ID ? 'Token' : 'Connected app';
}

function row(session: Session, { now }: SessionListOptions, what: Html, act: Html): Html {
  const endsAt = sessionEndsAt(session);
  return html`<tr>
<td>${what}</td>
<td data-label="From">${session.origin.address ?? 'unknown'}</td>
<td data-label="Last seen">${lastSeen(session, now)}</td>
<td data-label="Ends">${endsAt === Infinity ? 'only by hand' : instant(endsAt)}</td>
<td>${act}</td>
</tr>
`;
}

/** What a program holds begins before its first use. */
function lastSeen({ kind, createdAt, lastSeenAt }: Session, now: number): Html | string {
  return kind !== 'user' && lastSeenAt <= createdAt ? 'never' : ago(lastSeenAt, now);
}

/** Signing this browser out is what `/sign-out` does: it ends the session at the provider too. */
const SIGN_OUT = html`<form class="inline" method="post" action="/sign-out"><button class="danger small">Sign out</button></form>`;

function endButton(
  { id, origin, label, audience }: Session,
  { endPath }: SessionListOptions,
  text: string,
): Html {
  const which = label ?? hostsOf(audience)[0] ?? deviceName(origin.userAgent);
  return html`<form class="inline" method="post" action="${endPath}">
<input type="hidden" name="id" value="${id}">
<button class="danger small" aria-label="${text}: ${which}">${text}</button></form>`;
}

/** Devices go on when all sessions end, unless somebody ticks this; `undefined` where there are none. */
export function devicesChoice(sessions: readonly Session[]): Html | undefined {
  if (!sessions.some(({ kind }) => kind === 'device')) return undefined;
  return html`<p><label class="choice"><input type="checkbox" name="devices">Unpair all devices too</label></p>
`;
}

/** Whether it was ticked. */
export const wantsDevices = (form: URLSearchParams): boolean => singleParam(form, 'devices') !== undefined;
