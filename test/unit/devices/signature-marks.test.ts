import { afterEach, describe, expect, test } from 'bun:test';
import { signatureMarks as marksTable } from '../../../src/db/schema/index.ts';
import { type TemporaryDeviceGuard, temporaryDeviceGuard } from '../../support/device-guard.ts';
import { type CraftedRequest, craftRequest } from '../../support/signed-request.ts';

let site: TemporaryDeviceGuard | undefined;
afterEach(() => site?.[Symbol.asyncDispose]());

async function pairedSite() {
  const opened = temporaryDeviceGuard();
  site = opened;
  const device = await opened.pair();
  const craft = (request: CraftedRequest = {}) => craftRequest(request, opened.signing(device));
  const seconds = () => Math.floor(opened.clock.now() / 1_000);
  const rows = () => opened.base.db.reader.select().from(marksTable).all();
  return { site: opened, device, craft, seconds, rows };
}

describe('after a restart', () => {
  test('a signature that was taken before is refused, whenever it comes', async () => {
    const { site, device, craft } = await pairedSite();
    await site.clock.advance(500);
    const request = craft();
    expect(await site.verdict(request)).toBe(device.deviceId);
    site.restart();
    for (let second = 0; second < 70; second++) {
      expect(await site.verdict(new Request(request))).toBe('signature_stale');
      await site.clock.advance(1_000);
    }
  });

  test('one that was taken of a clock that runs ahead is refused as well', async () => {
    const { site, device, craft, seconds } = await pairedSite();
    const request = craft({ created: seconds() + 30 });
    expect(await site.verdict(request)).toBe(device.deviceId);
    await site.clock.advance(1_500);
    site.restart();
    for (let second = 0; second < 100; second++) {
      expect(await site.verdict(new Request(request))).toBe('signature_stale');
      await site.clock.advance(1_000);
    }
  });

  test('what is signed after it counts, a second later at the latest', async () => {
    const { site, device, craft } = await pairedSite();
    await site.clock.advance(1_500);
    site.restart();
    expect(await site.verdict(craft())).toBe('signature_stale');
    await site.clock.advance(500);
    expect(await site.verdict(craft())).toBe(device.deviceId);
  });

  test('a device that was paired after it need not wait', async () => {
    const { site } = await pairedSite();
    await site.clock.advance(500);
    site.restart();
    const other = await site.pair();
    expect(await site.verdict(craftRequest({}, site.signing(other)))).toBe(other.deviceId);
  });

  test('other devices do not wait for one whose clock runs ahead', async () => {
    const { site, craft, seconds } = await pairedSite();
    const other = await site.pair();
    await site.verdict(craft({ created: seconds() + 30 }));
    await site.clock.advance(1_000);
    site.restart();
    await site.clock.advance(1_000);
    expect(await site.verdict(craftRequest({}, site.signing(other)))).toBe(other.deviceId);
  });
});

describe('what is written', () => {
  test('nothing for clocks that are right or behind', async () => {
    const { site, device, craft, seconds, rows } = await pairedSite();
    for (const created of [seconds(), seconds() - 1, seconds() - 60]) {
      expect(await site.verdict(craft({ created }))).toBe(device.deviceId);
    }
    expect(rows()).toEqual([]);
  });

  test('one row for a clock that runs ahead, and no more often than every ten seconds', async () => {
    const { site, craft, seconds, rows } = await pairedSite();
    const written = new Set<number>();
    for (let second = 0; second < 30; second++) {
      await site.verdict(craft({ created: seconds() + 5 }));
      for (const { untilMs } of rows()) written.add(untilMs);
      await site.clock.advance(1_000);
    }
    expect(rows()).toHaveLength(1);
    expect(written.size).toBeLessThanOrEqual(3);
  });

  test('is reaped when it means nothing any more', async () => {
    const { site, craft, seconds, rows } = await pairedSite();
    await site.verdict(craft({ created: seconds() + 5 }));
    const reap = () =>
      site.base.db.write((tx) => site.open.reapTask.deleteExpired(tx, site.clock.now(), 100));
    expect(await reap()).toBe(0);
    await site.clock.advance(16_000);
    expect(await reap()).toBe(1);
    expect(rows()).toEqual([]);
  });
});
