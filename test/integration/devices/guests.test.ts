import { describe, expect, test } from 'bun:test';
import { BASE, PI_HOST, PI_URL, type Told, temporaryDeviceHosts } from '../../support/device-hosts.ts';
import { MappedBrowser } from '../../support/mapped-browser.ts';

const GUEST = `${PI_URL}/.postern/guest`;

/** Ada's device with a guest link, and a stranger's browser. */
async function withLink(more: { maxUses?: number } = {}) {
  const hosts = await temporaryDeviceHosts();
  const ada = await hosts.addUser('ada');
  const pi = await hosts.devices.add(ada, 'pi');
  const { session } = await hosts.signIn(ada);
  const by = { userId: ada, sessionId: session.id };
  const { link, url } = await hosts.access.links.make(
    pi,
    { service: 'web', label: 'plumber', lifetimeMs: 3_600_000, maxUses: 3, ...more },
    by,
  );
  return {
    hosts,
    ada,
    pi,
    by,
    link,
    url,
    guest: new MappedBrowser(hosts),
    [Symbol.asyncDispose]: () => hosts[Symbol.asyncDispose](),
  };
}

const click = (browser: MappedBrowser, link: string, origin?: string, at = GUEST) =>
  browser.submit(at, { link }, origin);

describe('a guest link', () => {
  test('shows a page that uses nothing up, and lets in by a click', async () => {
    await using it = await withLink({ maxUses: 1 });
    for (const _ of [1, 2, 3]) {
      const { response, text } = await it.guest.visit(it.url);
      expect(response.status).toBe(200);
      expect(text).toContain(`<strong>${PI_HOST}</strong>`);
      expect(text).toContain('data-from-fragment');
      expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    }
    const { url, text } = await click(it.guest, it.url);
    expect(url.href).toBe(`${PI_URL}/`);
    expect(JSON.parse(text)).toMatchObject({ device: it.pi.id, service: 'web', person: null });
    expect(it.hosts.access.links.list(it.pi)).toMatchObject([{ uses: 1 }]);
  });

  test('makes a session for that host alone, which names nobody', async () => {
    await using it = await withLink();
    await click(it.guest, it.url);
    expect(it.guest.cookies.names(PI_URL).filter((name) => name.includes('dev_'))).toHaveLength(1);
    expect((await it.guest.fetch(`https://ssh--pi.${BASE}/`)).status).toBe(302);
    const cookie = it.guest.cookies.header(new URL(PI_URL));
    const token = /dev_\w+=([\w-]+)/.exec(cookie)?.[1];
    const home = await it.guest.fetch('https://auth.example.test/host-ticket', {
      headers: { cookie: `__Host-postern=${token}` },
    });
    expect(home.status).toBe(400);
  });

  test('keeps the session that somebody has already, and is not used up by it', async () => {
    await using it = await withLink();
    await click(it.guest, it.url);
    const before = it.guest.cookies.header(new URL(PI_URL));
    await click(it.guest, it.url);
    expect(it.guest.cookies.header(new URL(PI_URL))).toBe(before);
    expect(it.hosts.access.links.list(it.pi)).toMatchObject([{ uses: 1 }]);
    const { browser } = await it.hosts.browserOf(it.ada);
    await browser.visit(`${PI_URL}/`);
    await click(browser, it.url);
    expect((await (await browser.fetch(`${PI_URL}/`)).json()) as Told).toMatchObject({ person: 'ada' });
  });

  test('that is ended lets nobody in, and nobody stay', async () => {
    await using it = await withLink();
    await click(it.guest, it.url);
    await it.hosts.access.links.end(it.pi, it.link.id, it.by);
    expect((await it.guest.fetch(`${PI_URL}/`)).status).toBe(302);
    const { response, text } = await click(new MappedBrowser(it.hosts), it.url);
    expect(response.status).toBe(410);
    expect(text).toContain('This link has ended');
  });

  test('of a device that is gone leads nowhere', async () => {
    await using it = await withLink();
    await click(it.guest, it.url);
    await it.hosts.devices.unpair(it.pi);
    expect((await it.guest.fetch(`${PI_URL}/`)).status).toBe(421);
    expect((await it.guest.visit(it.url)).response.status).toBe(421);
    const successor = await it.hosts.devices.add(it.ada, 'pi');
    expect(successor.handle).toBe('pi');
    expect((await it.guest.fetch(`${PI_URL}/`)).status).toBe(302);
    expect((await click(it.guest, it.url)).response.status).toBe(410);
  });

  test('is not for another device of the same person that has a session of the guest', async () => {
    await using it = await withLink();
    await click(it.guest, it.url);
    const token = /dev_\w+=([\w-]+)/.exec(it.guest.cookies.header(new URL(PI_URL)))?.[1];
    const lamp = await it.hosts.devices.add(it.ada, 'lamp');
    const answer = await new MappedBrowser(it.hosts).fetch(`https://web--lamp.${BASE}/`, {
      headers: { cookie: `__Host-postern-${lamp.id}=${token}` },
    });
    expect(answer.status).toBe(302);
  });

  test.each([
    ['a page of another device', `https://web--lamp.${BASE}`],
    ['our own page', 'https://auth.example.test'],
    ['a stranger’s page', 'https://evil.example'],
    ['nowhere', 'null'],
  ])('is not clicked by %s', async (_what, origin) => {
    await using it = await withLink();
    expect((await click(it.guest, it.url, origin)).response.status).toBe(403);
    expect(it.hosts.access.links.list(it.pi)).toMatchObject([{ uses: 0 }]);
  });

  test.each([
    ['nothing', ''],
    ['a word', 'plumber'],
    ['another secret', 'A'.repeat(43)],
    ['its id', 'gst_aaaaaaaaaaaaaaaaaaaaaaaaaa'],
  ])('is not %s, and says the same each time', async (_what, link) => {
    await using it = await withLink();
    const { response, text } = await click(it.guest, link);
    expect(response.status).toBe(410);
    expect(text).toContain('This link has ended, was used up, or leads elsewhere.');
    expect(it.guest.cookies.names(PI_URL)).toEqual([]);
    expect(await it.hosts.refusals()).toMatchObject([
      { action: 'device.denied', reason: 'guest_link_not_good', host: PI_HOST },
    ]);
  });

  test('is for the host that it names', async () => {
    await using it = await withLink();
    await it.hosts.devices.add(it.ada, 'lamp');
    for (const host of [`https://ssh--pi.${BASE}`, `https://web--lamp.${BASE}`]) {
      const { response } = await click(it.guest, it.url, undefined, `${host}/.postern/guest`);
      expect(response.status).toBe(410);
    }
    const { response } = await click(it.guest, it.url, undefined, 'https://auth.example.test/.postern/guest');
    expect(response.status).toBe(404);
  });

  test('takes a form, and a small one', async () => {
    await using it = await withLink();
    const post = (init: { body: RequestInit['body']; headers?: Record<string, string> }) =>
      it.guest.fetch(GUEST, { method: 'POST', ...init, headers: { origin: PI_URL, ...init.headers } });
    const json = await post({ body: '{}', headers: { 'content-type': 'application/json' } });
    const large = await post({ body: new URLSearchParams({ link: 'x'.repeat(5_000) }) });
    const twice = await post({
      body: new URLSearchParams([
        ['link', 'a'],
        ['link', 'b'],
      ]),
    });
    expect([json.status, large.status, twice.status]).toEqual([415, 413, 400]);
  });

  test('floods the audit no more than any other refusal', async () => {
    await using it = await withLink();
    for (let at = 0; at < 60; at++) await click(new MappedBrowser(it.hosts), 'A'.repeat(43));
    expect((await it.hosts.refusals()).length).toBe(20);
  });
});
