import type { Router } from '../http/router.ts';
import { appPages } from './account-apps.ts';
import { onePages } from './account-device.ts';
import { devicesPages } from './account-devices.ts';
import { linkPages } from './account-links.ts';
import { passwordPages } from './account-password.ts';
import { sessionPages } from './account-sessions.ts';
import { tokenPages } from './account-tokens.ts';
import { auditPages } from './admin-audit.ts';
import { allDevicesPages } from './admin-devices.ts';
import { userPages } from './admin-user.ts';
import { usersPages } from './admin-users.ts';
import type { WebDeps } from './deps.ts';
import { devicePages } from './device.ts';
import { guestPages } from './device-guests.ts';
import { pairingPages } from './device-pairing.ts';
import { tunnelPages } from './device-tunnel.ts';
import { homePage } from './home.ts';
import { invitationPages } from './invitation.ts';
import { pairPage } from './pair.ts';
import { resetPasswordPages } from './reset-password.ts';
import { setupPages } from './setup.ts';
import { signInPages } from './sign-in.ts';

/** The pages for people, but for those of sign-in through providers and of forward-auth. */
export function webRoutes(router: Router, deps: WebDeps): void {
  homePage(router, deps);
  signInPages(router, deps);
  setupPages(router, deps);
  invitationPages(router, deps);
  resetPasswordPages(router, deps);
  sessionPages(router, deps);
  tokenPages(router, deps);
  appPages(router, deps);
  linkPages(router, deps);
  passwordPages(router, deps);
  devicePages(router, deps);
  devicesPages(router, deps);
  onePages(router, deps);
  tunnelPages(router, deps);
  guestPages(router, deps);
  pairingPages(router, deps);
  pairPage(router);
  usersPages(router, deps);
  userPages(router, deps);
  allDevicesPages(router, deps);
  auditPages(router, deps);
}
