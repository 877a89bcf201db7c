import { html } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import type { WebDeps } from './deps.ts';
import { type Joining, join, joiningPage } from './joining.ts';

/** `/setup`: who holds the link that was printed at the first start becomes the owner. Afterwards there is no such page. */
export function setupPages(router: Router, deps: WebDeps): void {
  const { setup } = deps.local;
  const joining: Joining = {
    path: '/setup',
    title: 'Set up Postern',
    intro: html`<p>Make the account that owns this site. Everybody else comes in by invitation, or through a provider you configure.</p>`,
    action: 'Make the owner account',
    withPassword: (link, account, visitor) => setup.complete(link, account, visitor),
    async atProvider(link) {
      setup.requireSecret(link);
      return { purpose: 'setup' };
    },
  };
  router
    .get('/setup', () => {
      setup.requireOpen();
      return joiningPage(deps, joining);
    })
    .post('/setup', ({ request }) => {
      setup.requireOpen();
      return join(deps, joining, request);
    });
}
