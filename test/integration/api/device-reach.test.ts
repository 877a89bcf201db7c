import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { Device } from '../../../src/devices/model.ts';
import type { SessionToken } from '../../../src/sessions/model.ts';
import { type SignedIn, type TemporaryApi, temporaryApi } from '../../support/api.ts';
import { reachedDevices } from '../../support/reached-device.ts';

let api: TemporaryApi;
let ada: SignedIn;
let bob: SignedIn;
let pi: Device;

beforeEach(async () => {
  api = temporaryApi({
    devices: {
      config: { rule: [{ device: 'pi', services: ['web'], allow: 'everyone' }], guest_links_per_device: 2 },
    },
  });
  ada = await api.signIn();
  bob = await api.signIn();
  pi = await reachedDevices(api.base).add(ada.userId, 'pi');
});

afterEach(() => api[Symbol.asyncDispose]());

const LINKS = '/api/v1/devices/pi/guest-links';
const WANTED = { service: 'web', label: 'plumber', expires_in: 3_600 };
const make = (json: unknown = WANTED, cookie = ada.token, path = LINKS) =>
  api.call(path, { method: 'POST', cookie, json });

interface Made {
  guest_link: { id: string };
  url: string;
}

describe('guest links', () => {
  test('are made, listed without their secret, and ended', async () => {
    const made = (await (await make()).json()) as Made;
    expect(made).toMatchObject({
      guest_link: { service: 'web', label: 'plumber', uses: 0, max_uses: 10, last_used_at: null },
    });
    expect(made.url).toMatch(/^https:\/\/web--pi\.devices\.example\.test\/\.postern\/guest#[\w-]{43}$/);
    const listed = await (await api.call(LINKS, { cookie: ada.token })).text();
    expect(JSON.parse(listed)).toEqual({ guest_links: [made.guest_link] });
    expect(listed).not.toContain(made.url.slice(-43));
    const end = () =>
      api.call(`/api/v1/devices/${pi.id}/guest-links/${made.guest_link.id}`, {
        method: 'DELETE',
        cookie: ada.token,
      });
    expect([(await end()).status, (await end()).status]).toEqual([204, 404]);
    expect(await (await api.call(LINKS, { cookie: ada.token })).json()).toEqual({ guest_links: [] });
  });

  test('are made by whoever paired the device, in a browser', async () => {
    expect((await make(WANTED, bob.token)).status).toBe(404);
    const owner = await api.signInOwner();
    expect((await make(WANTED, owner.token)).status).toBe(404);
    const token = await api.makeToken(ada, { scopes: ['devices:read', 'devices:write'] });
    const response = await api.call(LINKS, { method: 'POST', bearer: token.token, json: WANTED });
    expect(response.status).toBe(403);
    expect((await api.call(LINKS, { bearer: token.token })).status).toBe(200);
    expect((await api.call(LINKS, {})).status).toBe(401);
  });

  test('are read and ended by programs that may, of one’s own devices', async () => {
    const { guest_link } = (await (await make()).json()) as Made;
    const reader = await api.makeToken(ada, { scopes: ['devices:read'] });
    const writer = await api.makeToken(ada, { scopes: ['devices:write'] });
    const stranger = await api.makeToken(bob, { scopes: ['devices:read', 'devices:write'] });
    const end = (bearer: SessionToken) => api.call(`${LINKS}/${guest_link.id}`, { method: 'DELETE', bearer });
    expect((await end(reader.token)).status).toBe(401);
    expect((await end(stranger.token)).status).toBe(404);
    expect((await api.call(LINKS, { bearer: stranger.token })).status).toBe(404);
    expect((await end(writer.token)).status).toBe(204);
  });

  test.each([
    [{ ...WANTED, service: 'Web' }, 422],
    [{ ...WANTED, service: 'a--b' }, 422],
    [{ ...WANTED, service: 'xn' }, 422],
    [{ ...WANTED, service: '' }, 422],
    [{ ...WANTED, service: '../web' }, 422],
    [{ ...WANTED, label: '' }, 422],
    [{ ...WANTED, label: 'a\nb' }, 422],
    [{ ...WANTED, label: 'x'.repeat(101) }, 422],
    [{ ...WANTED, expires_in: 0 }, 422],
    [{ ...WANTED, expires_in: 1.5 }, 422],
    [{ ...WANTED, expires_in: 31 * 86_400 }, 422],
    [{ ...WANTED, max_uses: 0 }, 422],
    [{ ...WANTED, max_uses: 1_001 }, 422],
    [{ ...WANTED, host: 'evil.example' }, 422],
    [{ service: 'web' }, 422],
    [[], 422],
  ])('are refused: %j', async (json, status) => {
    expect((await make(json)).status).toBe(status);
    expect(await (await api.call(LINKS, { cookie: ada.token })).json()).toEqual({ guest_links: [] });
  });

  test('of one device are so many', async () => {
    expect([(await make()).status, (await make()).status]).toEqual([201, 201]);
    const third = await make();
    expect([third.status, await third.json()]).toMatchObject([422, { code: 'too_many_guest_links' }]);
  });

  test('of a device that is not there are not found', async () => {
    for (const named of ['lamp', 'dev_aaaaaaaaaaaaaaaaaaaaaaaaaa', 'PI', '..', 'pi%2f..']) {
      expect((await make(WANTED, ada.token, `/api/v1/devices/${named}/guest-links`)).status).toBe(404);
    }
  });
});

describe('a personal token', () => {
  const ask = (reach: unknown, { token }: SignedIn = ada) =>
    api.call('/api/v1/tokens', {
      method: 'POST',
      cookie: token,
      json: { label: 'x', expires_in: 60, reach },
    });

  test('names services of devices by handle or id, and keeps the id', async () => {
    const response = await ask([
      { device: 'pi', service: 'web' },
      { device: pi.id, service: 'ssh' },
      { device: 'pi', service: 'ssh' },
    ]);
    expect(await response.json()).toMatchObject({
      token: {
        reach: [
          { device: pi.id, service: 'web' },
          { device: pi.id, service: 'ssh' },
        ],
        hosts: [],
        scopes: [],
      },
    });
  });

  test('of somebody else names what a rule lets them reach', async () => {
    expect((await ask([{ device: 'pi', service: 'web' }], bob)).status).toBe(201);
    const refused = await ask([{ device: 'pi', service: 'ssh' }], bob);
    expect([refused.status, await refused.json()]).toMatchObject([422, { code: 'device_out_of_reach' }]);
  });

  test.each([
    [[{ device: 'lamp', service: 'web' }], 'device_out_of_reach'],
    [[{ device: '', service: 'web' }], 'device_out_of_reach'],
    [[{ device: 'pi', service: 'web/../ssh' }], 'invalid_body'],
    [[{ device: 'pi', service: '' }], 'invalid_body'],
    [[{ device: 'pi' }], 'invalid_body'],
    [[{ device: 'pi', service: 'web', path: '/' }], 'invalid_body'],
    [['pi/web'], 'invalid_body'],
    ['pi/web', 'invalid_body'],
    [Array.from({ length: 51 }, () => ({ device: 'pi', service: 'web' })), 'invalid_body'],
    [[], 'no_audience'],
  ])('is refused: %j', async (reach, code) => {
    const response = await ask(reach);
    expect([response.status, await response.json()]).toMatchObject([422, { code }]);
  });

  test('that reaches a device may do nothing here', async () => {
    const made = (await (await ask([{ device: 'pi', service: 'web' }])).json()) as { secret: SessionToken };
    for (const path of ['/api/v1/session', '/api/v1/devices', LINKS]) {
      expect((await api.call(path, { bearer: made.secret })).status).toBe(401);
    }
  });
});
