import { expect, test } from 'bun:test';
import { resourceAudience } from '../../../src/sessions/audience.ts';
import type { UserId } from '../../../src/users/model.ts';
import { Browser } from '../../support/browser.ts';
import { type WebSite, webSite } from '../../support/web-site.ts';

/** Lets a program with this name act for somebody. */
async function connect({ accounts }: WebSite, userId: UserId, name: string) {
  const { ledger, db } = accounts.base;
  const [browser] = (await ledger.list(userId)).filter(({ kind }) => kind === 'user');
  if (browser === undefined) throw new Error('nobody is signed in');
  return db.write((tx) =>
    ledger.openGrant(tx, {
      issuedBy: browser.id,
      clientId: 'client',
      label: name,
      audience: resourceAudience(`${browser.audience[0]?.slice('origin:'.length)}/mcp/files`),
      scope: 'mcp:files',
      origin: browser.origin,
    }),
  );
}

const PATH = '/account/apps';

test('connected apps are for who is signed in', async () => {
  await using site = await webSite();
  await site.accounts.addLocal('alice');
  const visit = await site.get(new Browser(), PATH);
  expect(visit.url.pathname).toBe('/sign-in');
  expect(visit.text).toContain(`value="${PATH}"`);
});

test('a program is shown under the name that it gave itself, as text', async () => {
  await using site = await webSite();
  const { browser, user } = await site.signedIn('alice');
  expect((await site.get(browser, PATH)).text).toContain('None is connected.');
  await connect(site, user.id, '<script>x</script>');
  const { text } = await site.get(browser, PATH);
  expect(text).toContain('“&lt;script&gt;x&lt;/script&gt;”');
  expect(text).toContain('mcp:files');
  expect((await site.get(browser, '/account/sessions')).text).toContain('Connected app');
});

test('one program is disconnected, then all', async () => {
  await using site = await webSite();
  const { browser, user } = await site.signedIn('alice');
  const { session } = await connect(site, user.id, 'One');
  for (const name of ['Two', 'Three']) await connect(site, user.id, name);
  const one = await site.post(browser, `${PATH}/end`, { id: session.id });
  expect(one.text).toContain('The program is disconnected.');
  expect(one.text).not.toContain('“One”');
  expect(one.text).toContain('“Two”');
  const all = await site.post(browser, `${PATH}/end-all`, {});
  expect(all.text).toContain('All programs are disconnected.');
  expect(all.text).toContain('None is connected.');
});

test('nobody disconnects somebody else’s program', async () => {
  await using site = await webSite();
  const { user } = await site.signedIn('alice');
  const { session } = await connect(site, user.id, 'Hers');
  const other = await site.signedIn('bob');
  for (const id of [session.id, 'ses_aaaaaaaaaaaaaaaaaaaaaaaaaa', 'nonsense', '']) {
    const { response } = await site.post(other.browser, `${PATH}/end`, { id });
    expect(response.status).toBe(404);
  }
  await site.post(other.browser, `${PATH}/end-all`, {});
  expect((await site.accounts.base.ledger.find(session.id))?.status).toBe('active');
});
