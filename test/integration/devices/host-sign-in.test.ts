import { describe, expect, test } from 'bun:test';
import { hostAudience } from '../../../src/sessions/audience.ts';
import {
  APP,
  atTheirDevice,
  BASE,
  PI_HOST,
  PI_URL,
  type Told,
  temporaryDeviceHosts,
} from '../../support/device-hosts.ts';
import { problem } from '../../support/host-check.ts';
import { MappedBrowser } from '../../support/mapped-browser.ts';

describe('the page of a device', () => {
  test('opens for the person who paired it, after sign-in, at the path that was asked for', async () => {
    await using hosts = await temporaryDeviceHosts();
    const ada = await hosts.addUser('ada');
    const pi = await hosts.devices.add(ada, 'pi');
    const { browser } = await hosts.browserOf(ada);
    const { text, url } = await browser.visit(`${PI_URL}/page?a=1&b=/x?y`);
    expect(url.href).toBe(`${PI_URL}/page?a=1&b=/x?y`);
    expect(JSON.parse(text)).toMatchObject({
      device: pi.id,
      service: 'web',
      person: 'ada',
      target: '/page?a=1&b=/x?y',
    });
  });

  test('is reached with a session of its own host, which is a child of the browser’s', async () => {
    await using hosts = await temporaryDeviceHosts();
    const { browser, parent, userId } = await atTheirDevice(hosts);
    const child = (await hosts.ledger.list(userId)).find(({ parentId }) => parentId === parent.session.id);
    expect(child?.audience).toEqual([hostAudience(PI_HOST)]);
    const { session } = (await (await browser.fetch(`${PI_URL}/`)).json()) as Told;
    expect(session).toBe(String(child?.id));
    await hosts.ledger.end(parent.session.id, { reason: 'signed_out' });
    const { response, url } = await browser.visit(`${PI_URL}/`, {}, (at) => at.pathname === '/sign-in');
    expect(url.pathname).toBe('/sign-in');
    expect(response.status).toBeLessThan(400);
  });

  test('of another service, and of another device, asks for a session anew', async () => {
    await using hosts = await temporaryDeviceHosts();
    const { browser, userId } = await atTheirDevice(hosts);
    await hosts.devices.add(userId, 'lamp');
    const cookie = browser.cookies.header(new URL(PI_URL));
    for (const host of [`ssh--pi.${BASE}`, `web--lamp.${BASE}`]) {
      const answer = await new MappedBrowser(hosts).fetch(`https://${host}/`, { headers: { cookie } });
      expect([answer.status, answer.headers.get('location')]).toEqual([
        302,
        `https://${host}/.postern/start?/`,
      ]);
    }
    expect(browser.cookies.names(`https://web--lamp.${BASE}/`)).toEqual([]);
  });

  test('stays closed for somebody else: no ticket, and no page with a session from before', async () => {
    await using hosts = await temporaryDeviceHosts();
    await atTheirDevice(hosts);
    const eve = await hosts.addUser('eve');
    const { browser, parent } = await hosts.browserOf(eve);
    const { response, text } = await browser.visit(`${PI_URL}/`);
    expect(response.status).toBe(403);
    expect(text).toContain('Not let in');
    expect(browser.cookies.names(PI_URL).filter((name) => name.includes('dev_'))).toEqual([]);
    const origin = { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined };
    const { token } = await hosts.db.write((tx) =>
      hosts.ledger.openChildSession(tx, { parentId: parent.session.id, host: PI_HOST, origin }),
    );
    const pi = hosts.devices.directory.findByHandle('pi');
    const answer = await browser.fetch(`${PI_URL}/`, {
      headers: { cookie: `__Host-postern-${pi?.id}=${token}` },
    });
    expect(answer.status).toBe(403);
    expect(answer.headers.get('x-behind')).toBeNull();
    expect(await hosts.refusals()).toEqual([
      { action: 'device.denied', reason: 'not_allowed', host: PI_HOST, actorUserId: eve },
      { action: 'device.denied', reason: 'not_allowed', host: PI_HOST, actorUserId: eve },
    ]);
  });

  test('opens for others by a rule, and says who comes', async () => {
    const rules = [{ device: 'pi', services: ['web'], allow: 'everyone' as const }];
    await using hosts = await temporaryDeviceHosts({ rules });
    await atTheirDevice(hosts);
    const { browser } = await hosts.browserOf(await hosts.addUser('bob'));
    const { text } = await browser.visit(`${PI_URL}/`);
    expect(JSON.parse(text)).toMatchObject({ person: 'bob' });
    expect((await browser.visit(`https://ssh--pi.${BASE}/`)).response.status).toBe(403);
  });

  test('is no longer reached once it is unpaired; who then has its handle gets none of its sessions', async () => {
    await using hosts = await temporaryDeviceHosts();
    const { browser, userId, device } = await atTheirDevice(hosts);
    await hosts.devices.unpair(device);
    expect((await browser.fetch(`${PI_URL}/`)).status).toBe(421);
    const successor = await hosts.devices.add(userId, 'pi');
    const answer = await browser.fetch(`${PI_URL}/`);
    expect(answer.status).toBe(302);
    const { text } = await browser.visit(`${PI_URL}/`);
    expect(JSON.parse(text)).toMatchObject({ device: successor.id });
  });

  test('of a new bearer of a handle clears what the earlier one left in the browser, once', async () => {
    await using hosts = await temporaryDeviceHosts();
    const { browser, userId, device, parent } = await atTheirDevice(hosts);
    const cleared = async () => {
      // Three sign-ins within seconds look like a loop.
      browser.cookies.store(new URL(PI_URL), ['__Host-postern-rounds=; Path=/; Max-Age=0']);
      const finish = await browser.visit(`${PI_URL}/.postern/start?/`, {}, isFinish);
      if (!isFinish(finish.url)) throw new Error('there was no ticket');
      return (await browser.fetch(finish.url)).headers.get('clear-site-data');
    };
    const endHere = async () => {
      const child = (await hosts.ledger.list(userId)).find(({ parentId }) => parentId === parent.session.id);
      if (child !== undefined) await hosts.ledger.end(child.id, { reason: 'ended_by_user' });
    };
    await endHere();
    expect(await cleared()).toBeNull();
    await hosts.devices.unpair(device);
    await hosts.devices.add(userId, 'pi');
    expect(await cleared()).toBe('"cache", "storage"');
    await endHere();
    expect(await cleared()).toBeNull();
  });

  test('is cleared of an earlier bearer before anybody signs in, also where that one’s scripts ask', async () => {
    await using hosts = await temporaryDeviceHosts();
    const { browser, userId, device } = await atTheirDevice(hosts);
    await hosts.devices.unpair(device);
    await hosts.devices.add(userId, 'pi');
    const script = { headers: { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' } };
    for (const init of [{}, script]) {
      const answer = await browser.fetch(`${PI_URL}/`, init);
      expect(answer.headers.get('clear-site-data')).toBe('"cache", "storage"');
    }
    // Pages of other sites ask without cookies, and must not empty anything.
    const stranger = await new MappedBrowser(hosts).fetch(`${PI_URL}/`, script);
    expect([stranger.status, stranger.headers.get('clear-site-data')]).toEqual([401, null]);
  });

  test('of a stranger’s choice is not where sign-in leads', async () => {
    await using hosts = await temporaryDeviceHosts();
    await atTheirDevice(hosts);
    const leads = (url: string) => hosts.forwardAuth.protectedReturnTo(new URL(url));
    expect(leads(`${PI_URL}/page`)).toBe(true);
    expect(leads(`https://${APP}/page`)).toBe(true);
    for (const url of [
      `https://web--gone.${BASE}/`,
      `https://pi.${BASE}/`,
      `https://${BASE}/`,
      `http://${PI_HOST}/`,
      `https://${PI_HOST}:8443/`,
      `https://u:p@${PI_HOST}/`,
      `https://${PI_HOST}./`,
      `${PI_URL}/.postern/finish`,
    ]) {
      expect([url, leads(url)]).toEqual([url, false]);
    }
  });
});

describe('without a session', () => {
  test.each([
    ['a script', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }],
    ['an image', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image', accept: '*/*' }],
    ['a frame', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }],
    ['a WebSocket', { upgrade: 'websocket', 'sec-websocket-version': '13' }],
  ])('%s gets 401 and no redirect', async (_what, headers) => {
    await using hosts = await temporaryDeviceHosts();
    await hosts.devices.add(await hosts.addUser('ada'), 'pi');
    const answer = await new MappedBrowser(hosts).fetch(`${PI_URL}/`, { headers });
    expect(await problem(answer)).toEqual([401, 'not_signed_in']);
  });

  test('a form that was sent is told that it is not lost', async () => {
    await using hosts = await temporaryDeviceHosts();
    await hosts.devices.add(await hosts.addUser('ada'), 'pi');
    const answer = await new MappedBrowser(hosts).fetch(`${PI_URL}/save`, { method: 'POST', body: 'a=1' });
    expect(answer.status).toBe(401);
    expect(await answer.text()).toContain('It is not lost');
  });
});

const isFinish = (url: URL) => url.pathname === '/.postern/finish';
