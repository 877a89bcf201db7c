import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Browser, Page } from 'playwright-core';
import { openProfile, startChromium } from '../support/chromium.ts';
import { type DeviceSite, deviceSite, type SiteDevice } from '../support/device-site.ts';
import { PASSWORD } from '../support/loopback-site.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);

let devices: DeviceSite;
let chromium: Browser;
let pi: SiteDevice;
let lamp: SiteDevice;

beforeAll(async () => {
  devices = await deviceSite();
  [pi, lamp] = [await devices.addDevice('pi'), await devices.addDevice('lamp')];
  chromium = await startChromium();
});

afterAll(async () => {
  await chromium?.close();
  await devices?.[Symbol.asyncDispose]();
});

/** Follows a link to a page, signs in where it leads, and waits to be on the page. */
async function open(page: Page, url: string): Promise<void> {
  await page.goto(url);
  if (page.url() === url) return;
  expect(page.url()).toStartWith(`${devices.site.origin}/sign-in`);
  await page.fill('[name=username]', 'owner');
  await page.fill('[name=password]', PASSWORD);
  await page.click('button:has-text("Sign in")');
  await page.waitForURL(url);
}

/** A page of a device, in a browser that is signed in there, at the appliance and at the other device. */
async function atBoth() {
  const tab = await openProfile(chromium);
  const { page, context } = tab;
  await open(page, `${lamp.origin}/`);
  await page.goto(`${pi.origin}/`);
  expect(await page.textContent('h1')).toBe('pi');
  return { page, context, [Symbol.asyncDispose]: () => tab[Symbol.asyncDispose]() };
}

const answerWith = (device: SiteDevice, headers: readonly (readonly [string, string])[]) =>
  `${device.origin}/answer?headers=${encodeURIComponent(JSON.stringify(headers))}`;

describe('the page of a device in Chromium', () => {
  test('opens after sign-in, with a cookie of its host that no script reads', async () => {
    await using tab = await openProfile(chromium);
    const { page, context } = tab;
    await open(page, `${pi.origin}/settings?a=1`);
    expect(await page.textContent('h1')).toBe('pi: /settings');
    const cookies = await context.cookies();
    const sessions = cookies.filter(({ name }) => name.includes('_dev_'));
    expect(sessions.map(({ domain, httpOnly, sameSite }) => [domain, httpOnly, sameSite])).toEqual([
      [new URL(pi.origin).hostname, true, 'Lax'],
    ]);
    expect(await page.evaluate('document.cookie')).toBe('');
    await page.goto(`${pi.origin}/headers`);
    const told = JSON.parse((await page.textContent('body')) ?? '') as Record<string, string>;
    expect(told['cookie']).toBeUndefined();
    expect(told).toMatchObject({ 'remote-user': 'owner', host: new URL(pi.origin).host });
  });

  test('has its WebSockets and event streams', async () => {
    await using at = await atBoth();
    expect(await at.page.evaluate(talkTo(pi.origin))).toEqual(['hello from pi', 'echo ping']);
    expect(await at.page.evaluate(listenTo(pi.origin))).toBe('1');
  });

  test('cannot act with this browser’s session of another device', async () => {
    await using at = await atBoth();
    const fromPi = (script: string) => at.page.evaluate(script);
    const before = lamp.app.seen.length;
    for (const mode of ['cors', 'no-cors']) {
      const options = `{ mode: '${mode}', credentials: 'include' }`;
      expect(await fromPi(`fetch('${lamp.origin}/set', ${options}).then(() => 1, () => 'failed')`)).toBe(
        'failed',
      );
    }
    expect(await fromPi(talkTo(lamp.origin))).toEqual(['closed']);
    expect(await fromPi(listenTo(lamp.origin))).toBe('failed');
    expect(await fromPi(showImage(`${lamp.origin}/set`))).toBe('failed');
    await fromPi(frame(`${lamp.origin}/set`));
    await Promise.all([at.page.waitForURL(`${lamp.origin}/set`), fromPi(submit(`${lamp.origin}/set`))]);
    expect(await at.page.textContent('body')).toContain('did not come from a page of this site');
    expect(lamp.app.seen.slice(before)).toEqual([]);
    await at.page.goto(`${pi.origin}/`);
    await Promise.all([
      at.page.waitForURL(`${lamp.origin}/linked`),
      fromPi(`location.href = '${lamp.origin}/linked'`),
    ]);
    expect(lamp.app.seen.slice(before)).toEqual(['GET /linked']);
  });

  test('cannot act at the appliance, nor frame it', async () => {
    await using at = await atBoth();
    const { origin } = devices.site;
    for (const path of ['/api/v1/session', '/api/v1/devices']) {
      const read = `fetch('${origin}${path}', { credentials: 'include' }).then((r) => r.text(), () => 'unread')`;
      expect(await at.page.evaluate(read)).toBe('unread');
    }
    const posted = statusesOf(at.page, origin);
    await Promise.all([
      at.page.waitForURL(`${origin}/sign-out`),
      at.page.evaluate(submit(`${origin}/sign-out`)),
    ]);
    expect((await posted())[0]).toBe(403);
    await at.page.goto(`${pi.origin}/`);
    expect(await at.page.textContent('h1')).toBe('pi');
    await at.page.evaluate(frame(`${origin}/account/sessions`));
    expect(at.page.frames().some((each) => each.url() === `${origin}/account/sessions`)).toBe(false);
  });

  test('sets cookies for its own host, and none of ours', async () => {
    await using at = await atBoth();
    const { hostname, port } = new URL(pi.origin);
    const before = await at.context.cookies();
    await at.page.goto(
      answerWith(pi, [
        ['set-cookie', 'own=1; Path=/'],
        ['set-cookie', 'wide=1; Path=/; Domain=devices.localhost'],
        ['set-cookie', `postern_${port}=x; Path=/; Domain=localhost`],
        ['set-cookie', `postern_${port}=x; Path=/`],
        ['set-cookie', `=postern_${port}=x; Path=/`],
        [
          'set-cookie',
          `${before.find(({ name, domain }) => domain === hostname && name.includes('_dev_'))?.name}=; Max-Age=0`,
        ],
        ['clear-site-data', '"cookies", "storage"'],
      ]),
    );
    const after = await at.context.cookies();
    const added = after.filter(({ name }) => !before.some((each) => each.name === name));
    expect(added.map(({ name, domain }) => `${name} ${domain}`).toSorted()).toEqual([
      `own ${hostname}`,
      `wide ${hostname}`,
    ]);
    expect(before.filter(({ name }) => !after.some((each) => each.name === name))).toEqual([]);
    await at.page.goto(`${lamp.origin}/`);
    expect(await at.page.textContent('h1')).toBe('lamp');
  });

  test('ends for whoever is signed out, with what it had open', async () => {
    await using at = await atBoth();
    const cancelled = pi.app.cancelledStreams;
    await at.page.evaluate(keepOpen(pi.origin));
    const home = await at.context.newPage();
    await home.goto(`${devices.site.origin}/account/sessions`);
    await Promise.all([home.waitForURL(/signed-out/), home.click('button:has-text("Sign out")')]);
    await at.page.waitForFunction('window.ended?.length === 2');
    await until('the device hears of it', () => pi.app.cancelledStreams > cancelled);
    await at.page.goto(`${pi.origin}/`);
    expect(at.page.url()).toStartWith(`${devices.site.origin}/sign-in`);
  });
});

describe('a guest in Chromium', () => {
  test('comes in by a click, and is out when the link ends, with what was open', async () => {
    const { owner } = devices.site;
    const wanted = { service: 'web', label: 'plumber', expires_in: 600 };
    const path = '/api/v1/devices/pi/guest-links';
    const made = (await (await devices.call(owner, 'POST', path, wanted)).json()) as {
      guest_link: { id: string };
      url: string;
    };
    await using tab = await openProfile(chromium);
    const { page, context, complaints } = tab;
    await page.goto(made.url);
    // The secret leaves the address at once.
    await page.waitForURL(`${pi.origin}/.postern/guest`);
    await page.click('button:has-text("Open it")');
    await page.waitForURL(`${pi.origin}/`);
    expect(await page.textContent('h1')).toBe('pi');
    expect((await context.cookies()).map(({ domain }) => domain)).not.toContain('localhost');
    await page.evaluate(keepOpen(pi.origin));
    const other = await context.newPage();
    await other.goto(`${lamp.origin}/`);
    expect(other.url()).toStartWith(`${devices.site.origin}/sign-in`);

    const startedAt = Bun.nanoseconds();
    expect((await devices.call(owner, 'DELETE', `${path}/${made.guest_link.id}`)).status).toBe(204);
    await page.waitForFunction('window.ended?.length === 2');
    expect((Bun.nanoseconds() - startedAt) / 1e6).toBeLessThan(2_000);
    await page.goto(`${pi.origin}/`);
    expect(page.url()).toStartWith(`${devices.site.origin}/sign-in`);
    expect(complaints).toEqual([]);
  });
});

describe('what a device left in a browser', () => {
  test('is gone once another one has its handle and somebody has signed in there', async () => {
    const first = await devices.addDevice('shed');
    await using tab = await openProfile(chromium);
    const { page } = tab;
    await open(page, `${first.origin}/`);
    await page.evaluate(
      `navigator.serviceWorker.register('/worker.js', { scope: '/' }).then(() => navigator.serviceWorker.ready)`,
    );
    await page.evaluate(`localStorage.setItem('kept', '1')`);
    await page.evaluate(loadScript('/cached.js'));
    await page.goto(`${first.origin}/`);
    expect(await page.textContent('h1')).toBe('hijacked');

    const { status } = await devices.call(devices.site.owner, 'DELETE', '/api/v1/devices/shed');
    expect(status).toBe(204);
    await first.stop();
    const second = await devices.addDevice('shed');
    expect(second.origin).toBe(first.origin);
    await page.goto(`${second.origin}/`);
    await page.goto(`${second.origin}/`);
    expect(await page.textContent('h1')).toBe('shed');
    expect(
      await page.evaluate(`navigator.serviceWorker.getRegistrations().then(({ length }) => length)`),
    ).toBe(0);
    expect(await page.evaluate(`localStorage.getItem('kept')`)).toBeNull();
  });
});

/** Statuses of answers from an origin, from now on. */
function statusesOf(page: Page, origin: string): () => Promise<number[]> {
  const statuses: number[] = [];
  page.on('response', (response) => {
    if (response.url().startsWith(`${origin}/`)) statuses.push(response.status());
  });
  return async () => {
    await until('there is an answer', () => statuses.length > 0);
    return statuses.splice(0);
  };
}

const talkTo = (origin: string) => `new Promise((resolve) => {
  const messages = [];
  const socket = new WebSocket('${origin.replace('http', 'ws')}/socket');
  socket.onclose = () => resolve(['closed']);
  socket.onmessage = ({ data }) => {
    messages.push(data);
    if (messages.length === 1) socket.send('ping');
    else resolve(messages);
  };
})`;

const listenTo = (origin: string) => `new Promise((resolve) => {
  const events = new EventSource('${origin}/events', { withCredentials: true });
  events.onmessage = ({ data }) => { events.close(); resolve(data); };
  events.onerror = () => { events.close(); resolve('failed'); };
})`;

/** Opens a WebSocket and an event stream; says in \`window.ended\` which of them are over. */
const keepOpen = (origin: string) => `Promise.all([
  new Promise((resolve) => {
    window.ended = [];
    const socket = new WebSocket('${origin.replace('http', 'ws')}/socket');
    socket.onmessage = resolve;
    socket.onclose = () => window.ended.push('socket');
  }),
  new Promise((resolve) => {
    fetch('/events').then(async (response) => {
      const reader = response.body.getReader();
      resolve();
      try { while (!(await reader.read()).done); } catch {}
      window.ended.push('events');
    });
  }),
])`;

const showImage = (url: string) => `new Promise((resolve) => {
  const image = new Image();
  image.onload = () => resolve('shown');
  image.onerror = () => resolve('failed');
  image.src = '${url}';
})`;

const frame = (url: string) => `new Promise((resolve) => {
  const frame = document.createElement('iframe');
  frame.onload = resolve;
  frame.src = '${url}';
  document.body.append(frame);
})`;

const submit = (url: string) => `{
  const form = document.createElement('form');
  form.method = 'post';
  form.action = '${url}';
  document.body.append(form);
  form.submit();
}`;

const loadScript = (url: string) => `new Promise((resolve) => {
  const script = document.createElement('script');
  script.onload = resolve;
  script.src = '${url}';
  document.body.append(script);
})`;
