import { describe, expect, test } from 'bun:test';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { hiddenFields } from '../../support/oauth-client.ts';
import { proofOf } from '../../support/pairing.ts';
import { pairSiteDevice } from '../../support/site-device.ts';
import { type WebSite, webSite } from '../../support/web-site.ts';

const siteOf = ({ devices, origin, clock }: WebSite) => ({ devices, origin: origin.origin, clock });

describe('/account/devices', () => {
  test('shows what is paired, and filters by labels', async () => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('ada');
    const none = await site.get(browser, '/account/devices');
    expect(none.text).toContain('None is paired.');
    await pairSiteDevice(siteOf(site), user.id, { name: 'Kitchen', labels: { room: 'kitchen', floor: '' } });
    await pairSiteDevice(siteOf(site), user.id, { name: 'Attic <b>' });
    const all = await site.get(browser, '/account/devices');
    expect(all.text).toContain('href="/account/devices/kitchen"');
    expect(all.text).toContain('room=kitchen');
    expect(all.text).toContain('Attic &lt;b&gt;');
    const only = await site.get(browser, '/account/devices?label=room%3Dkitchen,%20floor');
    expect(only.text).toContain('/account/devices/kitchen');
    expect(only.text).not.toContain('Attic');
    for (const odd of ['room=attic', '=', ',', 'ROOM']) {
      const page = await site.get(browser, `/account/devices?label=${encodeURIComponent(odd)}`);
      expect(page.response.status).toBe(200);
      expect(page.text).toContain('None has these labels.');
    }
  });

  test('shows nobody else’s', async () => {
    await using site = await webSite();
    const { user } = await site.signedIn('ada');
    const { device } = await pairSiteDevice(siteOf(site), user.id);
    const { browser: other } = await site.signedIn('bob');
    expect((await site.get(other, '/account/devices')).text).toContain('None is paired.');
    expect((await site.get(other, `/account/devices/${device.handle}`)).response.status).toBe(404);
    for (const act of ['change', 'unpair', 'guest-links', 'guest-links/end']) {
      const fields = { sure: 'on', name: 'Mine', labels: '', id: 'x' };
      const { response } = await site.post(other, `/account/devices/${device.handle}/${act}`, fields);
      expect(response.status).toBe(404);
    }
    expect(site.devices.devices.find(device.id)?.name).toBe('Kitchen');
  });

  test('wants somebody who is signed in', async () => {
    await using site = await webSite();
    const response = await fetch(site.url('/account/devices/x'), { redirect: 'manual' });
    expect(response.headers.get('location')).toBe('/sign-in?return_to=%2Faccount%2Fdevices%2Fx');
  });
});

test('who is asked to let a device in sees what it says of itself, labels too', async () => {
  await using site = await webSite();
  const { browser } = await site.signedIn('ada');
  const { public_key: publicKey, ...proof } = proofOf(
    'join',
    newDeviceKey(),
    Math.floor(site.clock.now() / 1_000),
    site.origin.origin,
  );
  const about = {
    name: 'Garage <b>',
    serial: 'SN-7',
    platform: undefined,
    chip: undefined,
    labels: { kind: 'camera', floor: '' },
  };
  const { userCode } = await site.devices.joins.begin(about, { publicKey, ...proof }, '192.0.2.44');
  const { text } = await site.post(browser, '/device', { code: userCode });
  for (const shown of ['“Garage &lt;b&gt;”', 'SN-7', '192.0.2.44', 'kind=camera', '>floor<'])
    expect(text).toContain(shown);
  expect(text).toMatch(/Fingerprint<\/dt><dd><strong class="mono">([a-z2-7]{4} ){3}[a-z2-7]{4}</);
});

describe('a code', () => {
  test('is shown once, as code, link and picture, and can be cancelled', async () => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('ada');
    const made = await site.post(browser, '/account/devices/pair');
    expect(made.response.headers.get('cache-control')).toBe('no-store');
    const [, code = ''] = /<strong>([2-9A-Z]{4}-[2-9A-Z]{4})<\/strong>/.exec(made.text) ?? [];
    expect(made.text).toContain(`postern agent --join ${code} --server ${site.origin.origin}`);
    expect(made.text).toContain(`${site.origin.origin}/pair#`);
    expect(made.text).toContain('<svg xmlns');
    const list = await site.get(browser, '/account/devices');
    expect(list.text).not.toContain(code);
    const [waiting] = site.devices.pairings.list(user.id);
    const cancelled = await site.post(browser, '/account/devices/cancel-code', hiddenFields(list.text));
    expect(cancelled.text).toContain('The code is cancelled.');
    expect(site.devices.pairings.list(user.id)).toEqual([]);
    const again = await site.post(browser, '/account/devices/cancel-code', { id: waiting?.id ?? '' });
    expect(again.response.status).toBe(404);
  });

  test('of somebody else cannot be cancelled', async () => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('ada');
    await site.post(browser, '/account/devices/pair');
    const { browser: other } = await site.signedIn('bob');
    const [waiting] = site.devices.pairings.list(user.id);
    for (const id of [waiting?.id ?? '', '', 'x', 'pair_x']) {
      const { response } = await site.post(other, '/account/devices/cancel-code', { id });
      expect(response.status).toBe(404);
    }
    expect(site.devices.pairings.list(user.id)).toHaveLength(1);
  });

  test('too many at once are refused', async () => {
    await using site = await webSite({ clock: new ManualClock() });
    const { browser } = await site.signedIn('ada');
    for (let made = 0; made < 20; made++) await site.post(browser, '/account/devices/pair');
    expect((await site.post(browser, '/account/devices/pair')).response.status).toBe(422);
  });
});

describe('one device', () => {
  const begin = async () => {
    const site = await webSite();
    const { browser, user } = await site.signedIn('ada');
    const { device } = await pairSiteDevice(siteOf(site), user.id, { serial: 'A1' });
    const post = (act: string, fields: Record<string, string>) =>
      site.post(browser, `/account/devices/${device.handle}/${act}`, fields);
    const page = () => site.get(browser, `/account/devices/${device.handle}`);
    const find = () => site.devices.devices.find(device.id);
    return { site, device, post, page, find, [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() };
  };

  test('shows what is known of it', async () => {
    await using t = await begin();
    const { text } = await t.page();
    for (const known of [
      'kitchen',
      'A1',
      'linux arm64',
      'last seen',
      'SERVICE--kitchen.devices.example.test',
    ]) {
      expect(text).toContain(known);
    }
    await t.site.devices.devices.report(t.device, { version: '1.2.3', state: { mood: '<b>' } });
    const told = await t.page();
    expect(told.text).toContain('1.2.3');
    expect(told.text).toContain('mood: &lt;b&gt;');
  });

  test('is renamed and labelled; its address stays', async () => {
    await using t = await begin();
    const changed = await t.post('change', { name: 'Cellar', labels: 'room = cellar\r\nfloor\n' });
    expect(changed.text).toContain('The device is changed.');
    expect(t.find()).toMatchObject({
      name: 'Cellar',
      handle: 'kitchen',
      labels: { room: 'cellar', floor: '' },
    });
  });

  test.each([
    ['an empty name', { name: '', labels: '' }],
    ['a name of control characters', { name: 'a\u202Eb', labels: '' }],
    ['a name that is long', { name: 'a'.repeat(101), labels: '' }],
    ['a label with a strange name', { name: 'a', labels: 'Räume=1' }],
    ['a label with a comma', { name: 'a', labels: 'room=a,b' }],
    ['many labels', { name: 'a', labels: Array.from({ length: 21 }, (_, at) => `l${at}`).join('\n') }],
    ['the name of a prototype', { name: 'a', labels: '__proto__=x' }],
    ['a label twice', { name: 'a', labels: 'room=a\nroom=b' }],
  ])('is not changed by %s', async (_, fields) => {
    await using t = await begin();
    const { response, text } = await t.post('change', fields);
    expect(response.status).toBe(422);
    expect(text).toContain('role="alert"');
    expect(t.find()).toMatchObject({ name: 'Kitchen', labels: {} });
  });

  test('is unpaired, once somebody means it', async () => {
    await using t = await begin();
    expect((await t.post('unpair', {})).response.status).toBe(422);
    expect(t.find()).toBeDefined();
    const unpaired = await t.post('unpair', { sure: 'on' });
    expect(unpaired.text).toContain('The device is unpaired.');
    expect(t.find()).toBeUndefined();
    expect((await t.post('unpair', { sure: 'on' })).response.status).toBe(404);
    expect((await t.page()).response.status).toBe(404);
  });

  test('is lent by a guest link, until that ends', async () => {
    await using t = await begin();
    const good = { service: 'web', label: 'For Bob', expires_in: '3600', max_uses: '2' };
    const made = await t.post('guest-links', good);
    expect(made.text).toMatch(/http:\/\/web--kitchen\.devices\.example\.test\/\.postern\/guest#[\w-]{43}/);
    const page = await t.page();
    expect(page.text).toContain('For Bob');
    const fields = hiddenFields(page.text);
    expect((await t.post('guest-links/end', fields)).text).toContain('The guest link has ended');
    expect((await t.post('guest-links/end', fields)).response.status).toBe(404);
  });

  test.each([
    ['no service', { service: '' }],
    ['a service that is none', { service: 'Web/../' }],
    ['no label', { label: '' }],
    ['no end', { expires_in: '' }],
    ['a long life', { expires_in: '99999999' }],
    ['part of a second', { expires_in: '0.5' }],
    ['no visits', { max_uses: '0' }],
    ['many visits', { max_uses: '1001' }],
  ])('is not lent with %s', async (_, odd) => {
    await using t = await begin();
    const good = { service: 'web', label: 'For Bob', expires_in: '3600', max_uses: '2' };
    const { response, text } = await t.post('guest-links', { ...good, ...odd });
    expect(response.status).toBe(422);
    expect(text).toContain('role="alert"');
    expect((await t.page()).text).not.toContain('For Bob');
  });
});

describe('deliveries', () => {
  const begin = async () => {
    const site = await webSite();
    const { browser, user } = await site.signedIn('ada');
    const { device } = await pairSiteDevice(siteOf(site), user.id);
    const { deliveries } = site.devices;
    const path = `/account/devices/${device.handle}`;
    const queue = (body: unknown) =>
      deliveries.queue(device, { body, lifetimeMs: undefined }, { userId: user.id });
    return {
      site,
      deliveries,
      device,
      queue,
      page: () => site.get(browser, path),
      cancel: (id: string, by = browser) => site.post(by, `${path}/deliveries/cancel`, { id }),
      [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
    };
  };

  test('are shown with what became of them, and none where there are none', async () => {
    await using t = await begin();
    expect((await t.page()).text).not.toContain('Deliveries');
    const { id } = await t.queue({ open: '<door>' });
    await t.queue('x'.repeat(300));
    await t.deliveries.take(t.device);
    await t.deliveries.receive(t.device, id, { outcome: 'failed', note: 'it is <stuck>' }, {});
    const { text } = await t.page();
    for (const shown of [
      '{&quot;open&quot;:&quot;&lt;door&gt;&quot;}',
      'failed',
      'it is &lt;stuck&gt;',
      'fetched, no receipt yet',
      'xxx…',
    ]) {
      expect(text).toContain(shown);
    }
    expect(text.match(/Cancel<\/button>/g)).toHaveLength(1);
  });

  test('that wait are cancelled, once, by whom the device belongs to', async () => {
    await using t = await begin();
    const { id } = await t.queue('open');
    const { browser: other } = await t.site.signedIn('bob', 'owner');
    expect((await t.cancel(id, other)).response.status).toBe(404);
    for (const odd of ['', 'x', `${id}x`]) expect((await t.cancel(odd)).response.status).toBe(404);
    expect((await t.cancel(id)).text).toContain('The delivery is cancelled.');
    expect((await t.cancel(id)).response.status).toBe(404);
    expect(t.deliveries.list(t.device)).toMatchObject([{ status: 'cancelled' }]);
  });
});

describe('/admin/devices', () => {
  test('shows owners everything, and lets them end it', async () => {
    await using site = await webSite();
    const { browser: owner } = await site.signedIn('mum', 'owner');
    const { user } = await site.signedIn('kid');
    const { device } = await pairSiteDevice(siteOf(site), user.id, { name: 'Tablet' });
    const page = await site.get(owner, '/admin/devices');
    expect(page.text).toContain('Tablet');
    expect(page.text).toContain('kid');
    const unpaired = await site.post(owner, '/admin/devices/unpair', { id: device.id });
    expect(unpaired.text).toContain('The device is unpaired.');
    expect(site.devices.devices.find(device.id)).toBeUndefined();
    for (const id of [device.id, '', 'tablet']) {
      expect((await site.post(owner, '/admin/devices/unpair', { id })).response.status).toBe(404);
    }
  });

  test('is for owners alone', async () => {
    await using site = await webSite();
    const { browser, user } = await site.signedIn('kid');
    const { device } = await pairSiteDevice(siteOf(site), user.id);
    expect((await site.get(browser, '/admin/devices')).response.status).toBe(403);
    const { response } = await site.post(browser, '/admin/devices/unpair', { id: device.id });
    expect(response.status).toBe(403);
    expect(site.devices.devices.find(device.id)).toBeDefined();
  });
});

test('/pair says what to do, and asks nobody who they are', async () => {
  await using site = await webSite();
  const response = await fetch(site.url('/pair'));
  expect(response.status).toBe(200);
  expect(response.headers.get('referrer-policy')).toBe('no-referrer');
  const text = await response.text();
  expect(text).toContain('postern agent --join');
  expect(text).not.toContain('<script');
});
