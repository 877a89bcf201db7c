import { html } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import type { WebDeps } from './deps.ts';
import { type Joining, join, joiningPage } from './joining.ts';

/** `/invitation`: who holds the link becomes a user. */
export function invitationPages(router: Router, deps: WebDeps): void {
  const { invitations } = deps.local;
  const joining: Joining = {
    path: '/invitation',
    title: 'You are invited',
    intro: html`<p>Make an account to sign in here. The invitation works once.</p>`,
    action: 'Make my account',
    withPassword: (link, account, visitor) => invitations.accept(link, account, visitor),
    async atProvider(link) {
      const { id } = await invitations.find(link, 'invite');
      return { purpose: 'invitation', invitationId: id };
    },
  };
  router
    .get('/invitation', () => joiningPage(deps, joining))
    .post('/invitation', ({ request }) => join(deps, joining, request));
}
