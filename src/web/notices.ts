import { type Html, html } from '../http/html.ts';
import { queryOf } from '../sign-in/routes.ts';

/** What a page says once a form has done its work; only the name of a notice travels in the URL. */
const NOTICES = {
  'session-ended': 'The session has ended.',
  'others-ended': 'All other sessions have ended.',
  'token-revoked': 'The token is revoked.',
  'app-ended': 'The program is disconnected.',
  'apps-ended': 'All programs are disconnected.',
  unlinked: 'The account is unlinked, and its tokens are revoked at the service.',
  'unlinked-not-told':
    'The account is unlinked here. The service did not answer: take the access back in its settings, too.',
  'unlinked-unsupported':
    'The account is unlinked here. To take the access back at the service as well, use its settings.',
  'secret-stored': 'The secret is stored.',
  'secret-removed': 'The secret is removed.',
  'code-cancelled': 'The code is cancelled.',
  'device-unpaired': 'The device is unpaired. Nothing of it works any more.',
  'device-changed': 'The device is changed.',
  'guest-link-ended': 'The guest link has ended, and every visit that began with it.',
  'tunnel-ended': 'The tunnel is cut. The device dials again by itself.',
  'stream-ended': 'The connection has ended.',
  'delivery-cancelled': 'The delivery is cancelled.',
  'password-changed': 'Your password is changed. All your other sessions have ended.',
  'user-disabled': 'The account is disabled, and all its sessions have ended.',
  'user-enabled': 'The account is enabled again.',
  'user-removed': 'The account is removed, and all its sessions have ended.',
  'role-changed': 'The role is changed.',
  'sessions-ended': 'All sessions of this person have ended.',
  'invitation-voided': 'The invitation is void.',
} as const;

export type Notice = keyof typeof NOTICES;

export function withNotice(path: string, notice: Notice): string {
  return `${path}?done=${notice}`;
}

/** The notice that the form before asked for. */
export function noticeOf(request: Request): Html | undefined {
  const name = queryOf(request).get('done') ?? '';
  if (!Object.hasOwn(NOTICES, name)) return undefined;
  return html`<p class="notice" role="status">${NOTICES[name as Notice]}</p>`;
}
