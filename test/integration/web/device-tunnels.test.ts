import { describe, expect, test } from 'bun:test';
import { connectTunnel } from '../../support/hub-tunnel.ts';
import { pairSiteDevice } from '../../support/site-device.ts';
import { webSite } from '../../support/web-site.ts';

async function begin() {
  const site = await webSite();
  const { browser, user } = await site.signedIn('ada');
  const at = { devices: site.devices, origin: site.origin.origin, clock: site.clock };
  const { device } = await pairSiteDevice(at, user.id);
  await connectTunnel(site.hub, device);
  const path = `/account/devices/${device.handle}`;
  /** Something open in the tunnel, for the person themselves. */
  const open = () =>
    site.hub.open(device, {
      kind: 'websocket',
      service: 'web',
      sessionId: device.sessionId,
      userId: user.id,
    });
  return {
    site,
    device,
    open,
    page: () => site.get(browser, path),
    list: () => site.get(browser, '/account/devices'),
    post: (act: string, fields: Record<string, string> = {}) => site.post(browser, `${path}/${act}`, fields),
    tunnel: () => site.hub.find(device.id),
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
}

describe('a device that is connected', () => {
  test('is shown with its tunnel, and what is open in it', async () => {
    await using t = await begin();
    expect((await t.list()).text).toContain('<span class="badge">connected</span>');
    const quiet = await t.page();
    for (const known of ['192.0.2.33', 'postern-agent/1.0', 'Cut it']) expect(quiet.text).toContain(known);
    expect(quiet.text).not.toContain('Open in it');
    const { stream } = t.open();
    await stream.write(new Uint8Array(3_000));
    const { text } = await t.page();
    expect(text).toContain('Open in it');
    for (const known of ['WebSocket', '>ada<', '2.9 KiB']) expect(text).toContain(known);
  });

  test('has one thing that is open ended', async () => {
    await using t = await begin();
    const [kept, killed] = [t.open(), t.open()];
    const ended = await t.post('streams/end', { id: String(killed.stream.id) });
    expect(ended.text).toContain('The connection has ended.');
    expect(killed.cutReason).toBe('killed');
    expect(t.tunnel()?.streams.map(({ stream }) => stream.id)).toEqual([kept.stream.id]);
    for (const id of [String(killed.stream.id), '', '0', '-1', 'x', '99999999999']) {
      expect((await t.post('streams/end', { id })).response.status).toBe(404);
    }
    expect(t.tunnel()?.streamCount).toBe(1);
  });

  test('has its tunnel cut', async () => {
    await using t = await begin();
    t.open();
    expect((await t.post('tunnel/end')).text).toContain('The tunnel is cut.');
    expect(t.tunnel()).toBeUndefined();
    expect((await t.page()).text).toContain('not connected');
    expect((await t.post('tunnel/end')).response.status).toBe(404);
  });

  test('is out of its tunnel the moment it is unpaired', async () => {
    await using t = await begin();
    t.open();
    await t.post('unpair', { sure: 'on' });
    expect(t.tunnel()).toBeUndefined();
  });

  test('is nobody else’s to cut', async () => {
    await using t = await begin();
    const { stream } = t.open();
    const { browser: other } = await t.site.signedIn('bob', 'owner');
    for (const [act, fields] of [
      ['tunnel/end', {}],
      ['streams/end', { id: String(stream.id) }],
    ] as const) {
      const { response } = await t.site.post(other, `/account/devices/${t.device.handle}/${act}`, fields);
      expect(response.status).toBe(404);
    }
    expect(t.tunnel()?.streamCount).toBe(1);
  });
});
