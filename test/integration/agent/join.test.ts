import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { systemClock } from '../../../src/lib/clock.ts';
import { CommandError } from '../../../src/lib/command-error.ts';
import type { Browser } from '../../support/browser.ts';
import { errorOf } from '../../support/error-of.ts';
import { freePort } from '../../support/free-port.ts';
import { hiddenFields } from '../../support/oauth-client.ts';
import { agentPlace, newPairing } from '../../support/site-agent.ts';
import { type WholeSite, wholeSite } from '../../support/whole-site.ts';

let site: WholeSite;
let owner: Browser;
beforeAll(async () => {
  site = await wholeSite({ devices: { join_poll_interval: '100ms' } });
  owner = await site.signedIn('owner');
});
afterAll(() => site?.[Symbol.asyncDispose]());

/** What the command would print. */
async function complaintOf(act: Promise<unknown>): Promise<string> {
  const error = await errorOf(act);
  if (error instanceof CommandError) return error.message;
  throw error;
}

const devices = async () => {
  const response = await owner.fetch(site.url('/api/v1/devices'), { headers: { origin: site.app.url } });
  return ((await response.json()) as { devices: { handle: string }[] }).devices.map(({ handle }) => handle);
};

describe('a device joins', () => {
  test('with the code, typed as people type', async () => {
    using place = agentPlace(site);
    const { code } = await newPairing(site, owner);
    const typed = code.toLowerCase().replace('-', ' ');
    const pairing = await place.join(typed, { name: 'Typed' });
    expect(pairing).toMatchObject({
      server: site.app.url,
      handle: 'typed',
      name: 'Typed',
      tunnelUrl: `${site.app.url.replace('http', 'ws')}/api/v1/device/tunnel`,
      ended: undefined,
    });
    expect(place.state.pairing()).toEqual(pairing);
    expect(await devices()).toContain('typed');
  });

  test('with the link', async () => {
    using place = agentPlace(site);
    const { link } = await newPairing(site, owner);
    expect(await place.join(link, { name: 'Linked' })).toMatchObject({ handle: 'linked' });
  });

  test('again with the same code and key, when the answer was lost', async () => {
    using place = agentPlace(site);
    const { code } = await newPairing(site, owner);
    const first = await place.join(code, { name: 'Again' });
    const second = await place.join(code, { name: 'Again' });
    expect(second).toMatchObject({ deviceId: first.deviceId, sessionId: first.sessionId });
    expect(second.sessionToken).not.toBe(first.sessionToken);
  });

  test.each([-3 * 365, -1, 1, 900].map((days) => [days]))(
    'with a clock that is %i days off: it is corrected once',
    async (days) => {
      using place = agentPlace(site);
      const { code } = await newPairing(site, owner);
      const clock = { ...systemClock, now: () => systemClock.now() + days * 86_400_000 };
      const pairing = await place.join(code, { clock });
      expect(Math.abs(pairing.pairedAt - systemClock.now())).toBeLessThan(60_000);
    },
  );

  test('by asking to be let in: somebody types what it shows', async () => {
    using place = agentPlace(site);
    const shown = Promise.withResolvers<{ userCode: string; fingerprint: string }>();
    const joining = place.join(site.app.url, { name: 'Asking', onPrompt: shown.resolve });
    const { userCode, fingerprint } = await shown.promise;
    const asked = await owner.submit(site.url('/device'), { code: userCode });
    expect(asked.text).toContain(fingerprint);
    const fields = { ...hiddenFields(asked.text), decision: 'allow' };
    expect((await owner.submit(site.url('/device/answer'), fields)).url.pathname).toBe('/device/done');
    expect(await joining).toMatchObject({ handle: 'asking' });
  }, 30_000);
});

describe('a device does not join, and is told why', () => {
  test('with a code that nobody made, or that another one has used', async () => {
    using place = agentPlace(site);
    using other = agentPlace(site);
    expect(await complaintOf(place.join('ABCD-EFGH'))).toContain('(pairing_refused)');
    const { code } = await newPairing(site, owner);
    await place.join(code);
    expect(await complaintOf(other.join(code))).toContain('(pairing_refused)');
    expect(other.state.pairing()).toBeUndefined();
  });

  test('with a serial number that another one has', async () => {
    using place = agentPlace(site);
    using other = agentPlace(site);
    await place.join((await newPairing(site, owner)).code, { serial: 'S-1' });
    const { code } = await newPairing(site, owner);
    expect(await complaintOf(other.join(code, { serial: 'S-1' }))).toContain('(serial_in_use)');
  });

  test('where nobody listens', async () => {
    using place = agentPlace(site);
    const server = `http://localhost:${freePort()}`;
    expect(await complaintOf(place.join('ABCD-EFGH', { server }))).toBe(
      `${server}: the server cannot be reached (ECONNREFUSED)`,
    );
  });

  test('at what is no Postern', async () => {
    const other = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () => new Response('hello', { status: 404 }),
    });
    using place = agentPlace(site);
    const server = `http://127.0.0.1:${other.port}`;
    expect(await complaintOf(place.join('ABCD-EFGH', { server }))).toBe(
      'the server answers 404: that is no Postern, or one without devices',
    );
    await other.stop(true);
  });

  test('at what answers something else', async () => {
    const other = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => Response.json({ device: 1 }) });
    using place = agentPlace(site);
    const server = `http://127.0.0.1:${other.port}`;
    expect(await complaintOf(place.join('ABCD-EFGH', { server }))).toBe(
      'the server answered something else than a Postern does',
    );
    await other.stop(true);
  });

  test('the network may come up later', async () => {
    using place = agentPlace(site);
    const port = freePort();
    const { code } = await newPairing(site, owner);
    const waits = Promise.withResolvers<string>();
    const joining = place.join(code, {
      server: `http://localhost:${port}`,
      patienceMs: 10_000,
      name: 'Late',
      onWait: waits.resolve,
    });
    await waits.promise;
    const forwarder = Bun.serve({
      port,
      hostname: '127.0.0.1',
      async fetch(request) {
        const { pathname } = new URL(request.url);
        const body = await request.text();
        const headers = { 'content-type': 'application/json' };
        return fetch(site.url(pathname), { method: request.method, body, headers });
      },
    });
    // The proof names the origin that the device was told; it is not that of the appliance.
    expect(await complaintOf(joining)).toContain('(proof_invalid)');
    await forwarder.stop(true);
  });
});
