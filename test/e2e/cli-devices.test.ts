import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { decodeQR } from 'qr/decode.js';
import { newDeviceKey } from '../../src/signatures/ed25519-key.ts';
import { type LoopbackSite, loopbackSite } from '../support/loopback-site.ts';
import { proofOf } from '../support/pairing.ts';

setDefaultTimeout(60_000);

interface DeviceRow {
  handle: string;
  username: string;
  connected: boolean;
}

const devicesOf = async ({ appliance }: LoopbackSite, ...flags: string[]) => {
  const { out } = await appliance.run('device', 'list', '--json', ...flags);
  return JSON.parse(out) as DeviceRow[];
};

/** A device redeems the code that a command printed. */
async function joinWith(site: LoopbackSite, printed: string, name: string): Promise<Response> {
  const [, code = ''] = /--join (\S+) --server/.exec(printed) ?? [];
  const key = newDeviceKey();
  const proof = proofOf(code, key, Math.floor(Date.now() / 1_000), site.origin);
  return fetch(site.url('/api/v1/pairings/redeem'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code, name, ...proof }),
  });
}

/** What a camera would read off a screen that writes light on dark. */
function readLines(lines: readonly string[]): string {
  const rows = lines.map((line) => Array.from(line));
  const [scale, size] = [4, rows[0]?.length ?? 0];
  const side = size * scale;
  const data = new Uint8Array(side * side * 4).fill(255);
  for (let at = 0; at < side * side; at++) {
    const [x, y] = [Math.floor((at % side) / scale), Math.floor(at / side / scale)];
    const sign = rows[Math.floor(y / 2)]?.[x] ?? ' ';
    const isLight = sign === '█' || sign === (y % 2 === 0 ? '▀' : '▄');
    data.fill(isLight ? 255 : 0, at * 4, at * 4 + 3);
  }
  return decodeQR({ width: side, height: side, data });
}

test('a device is paired, listed and unpaired by commands, beside the server', async () => {
  await using site = await loopbackSite();
  const { appliance } = site;
  const made = await appliance.run('device', 'pair', '--qr');
  expect(made).toMatchObject({ exitCode: 0 });
  const [, link = ''] = /^ {2}(http\S+)$/m.exec(made.out) ?? [];
  expect(link).toStartWith(`${site.origin}/pair#`);
  expect(readLines(made.out.split('\n').filter((line) => /[█▀▄]/.test(line)))).toBe(link);
  expect((await joinWith(site, made.out, 'Kitchen')).status).toBe(201);
  expect(await devicesOf(site)).toMatchObject([{ handle: 'kitchen', username: 'owner', connected: false }]);
  const table = await appliance.run('device', 'list');
  expect(table.out).toMatch(/^DEVICE +NAME +OF/);
  expect(await appliance.run('device', 'unpair', 'kitchn')).toMatchObject({
    exitCode: 1,
    err: expect.stringContaining('did you mean "kitchen"?'),
  });
  expect(await appliance.run('device', 'unpair', 'kitchen')).toMatchObject({ exitCode: 0 });
  expect(await devicesOf(site)).toEqual([]);
  expect(await appliance.run('device', 'unpair', 'kitchen')).toMatchObject({ exitCode: 1 });
});

describe('device pair', () => {
  test('asks whose, where there are several people', async () => {
    await using site = await loopbackSite();
    await site.addPerson('bob');
    expect(await site.appliance.run('device', 'pair')).toMatchObject({ exitCode: 2 });
    expect(await site.appliance.run('device', 'pair', 'nobody')).toMatchObject({ exitCode: 1 });
    const made = await site.appliance.run('device', 'pair', 'bob');
    expect(made.out).not.toMatch(/[█▀▄]/);
    expect((await joinWith(site, made.out, 'Shed')).status).toBe(201);
    expect(await devicesOf(site, '--user', 'bob')).toMatchObject([{ handle: 'shed', username: 'bob' }]);
    expect(await devicesOf(site, '--user', 'owner')).toEqual([]);
  });

  test('works while no server runs', async () => {
    await using site = await loopbackSite();
    await site.appliance.stop();
    const made = await site.appliance.run('device', 'pair', 'owner');
    expect(made).toMatchObject({ exitCode: 0 });
    await site.appliance.start();
    expect((await joinWith(site, made.out, 'Late')).status).toBe(201);
  });
});

test('devices stay when a person is signed out or disabled, unless they are asked for', async () => {
  await using site = await loopbackSite();
  const { appliance } = site;
  await site.addPerson('bob');
  for (const act of [
    ['session', 'end-all', 'bob'],
    ['user', 'disable', 'bob'],
  ]) {
    const made = await appliance.run('device', 'pair', 'bob');
    expect((await joinWith(site, made.out, 'Shed')).status).toBe(201);
    expect(await appliance.run(...act)).toMatchObject({ exitCode: 0 });
    expect(await devicesOf(site)).toMatchObject([{ handle: 'shed' }]);
    expect(await appliance.run(...act, '--devices')).toMatchObject({ exitCode: 0 });
    expect(await devicesOf(site)).toEqual([]);
  }
  const refused = await appliance.run('device', 'pair', 'bob');
  expect(refused).toMatchObject({ exitCode: 1, err: expect.stringContaining('bob is disabled') });
});
