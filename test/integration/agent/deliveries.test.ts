import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { fetchDeliveries, sendReceipt } from '../../../src/agent/deliveries.ts';
import { serverTime } from '../../../src/agent/server-time.ts';
import { run } from '../../../src/cli/run.ts';
import { type Clock, systemClock } from '../../../src/lib/clock.ts';
import { CommandError } from '../../../src/lib/command-error.ts';
import type { Browser } from '../../support/browser.ts';
import { errorOf } from '../../support/error-of.ts';
import { recordingIo } from '../../support/recording-io.ts';
import { type AgentPlace, agentPlace, newPairing } from '../../support/site-agent.ts';
import { type WholeSite, wholeSite } from '../../support/whole-site.ts';

let site: WholeSite;
let owner: Browser;
let place: AgentPlace;
beforeAll(async () => {
  site = await wholeSite();
  owner = await site.signedIn('owner');
  place = agentPlace(site);
  const { code } = await newPairing(site, owner);
  await place.join(code, { name: 'Board' });
});
beforeEach(async () => {
  const deps = signer();
  for (const { id } of await fetchDeliveries(deps)) await sendReceipt(id, { outcome: 'done' }, deps);
});
afterAll(async () => {
  place?.[Symbol.dispose]();
  await site?.[Symbol.asyncDispose]();
});

function signer(clock: Clock = systemClock) {
  const pairing = place.state.pairing();
  if (pairing === undefined) throw new Error('the device is not paired');
  return { pairing, key: place.state.key(), time: serverTime(clock), clock, ca: undefined };
}

const DELIVERIES = '/api/v1/devices/board/deliveries';

async function leave(body: unknown): Promise<string> {
  const response = await owner.fetch(site.url(DELIVERIES), {
    method: 'POST',
    headers: { origin: site.app.url, 'content-type': 'application/json' },
    body: JSON.stringify({ body }),
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { id: string }).id;
}

async function statuses(): Promise<string[]> {
  const response = await owner.fetch(site.url(DELIVERIES), { headers: { origin: site.app.url } });
  const { deliveries } = (await response.json()) as { deliveries: { status: string; note: string | null }[] };
  return deliveries.map(({ status, note }) => (note === null ? status : `${status}: ${note}`));
}

/** What a command prints, and how it ends. */
async function command(...words: string[]) {
  const io = recordingIo();
  const code = await run(['agent', ...words, '--dir', place.state.directory], io);
  return { code, out: io.outText(), err: io.errText() };
}

test('a script on the device reads what waits, and says what became of it', async () => {
  const [first, second] = [await leave({ set: 'eco' }), await leave('two\nlines')];
  const listed = await command('deliveries');
  expect(listed.code).toBe(0);
  const lines = listed.out.trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { id: first, body: { set: 'eco' } },
    { id: second, body: 'two\nlines' },
  ]);
  expect(await command('receipt', first, 'done')).toMatchObject({ code: 0, out: '' });
  expect(await command('receipt', second, 'failed', '--note', 'no such mode')).toMatchObject({ code: 0 });
  expect(await command('deliveries')).toMatchObject({ code: 0, out: '' });
  expect((await statuses()).slice(0, 2)).toEqual(['failed: no such mode', 'done']);
});

test('what it says has to make sense', async () => {
  const id = await leave(1);
  expect(await command('receipt', id, 'perhaps')).toMatchObject({ code: 2 });
  expect(await command('receipt', id)).toMatchObject({ code: 2 });
  expect(await command('receipt', `dlv_${'a'.repeat(26)}`, 'done')).toMatchObject({ code: 1 });
  expect(await command('receipt', '../../sessions', 'done')).toMatchObject({ code: 1 });
  expect((await statuses())[0]).toBe('queued');
});

test('a clock that is off is corrected', async () => {
  const id = await leave(2);
  const deps = signer({ ...systemClock, now: () => systemClock.now() - 86_400_000 });
  expect((await fetchDeliveries(deps)).map((each) => each.id)).toContain(id);
  await sendReceipt(id, { outcome: 'done' }, deps);
  expect((await statuses())[0]).toBe('done');
  expect(deps.time.offsetMs).toBeGreaterThan(86_000_000);
});

test('a device that is not paired has none', async () => {
  using other = agentPlace(site);
  const io = recordingIo();
  expect(await run(['agent', 'deliveries', '--dir', other.state.directory], io)).toBe(1);
  expect(io.errText()).toContain('not paired');
});

test('a server that does not answer is named', async () => {
  const deps = signer();
  const nowhere = { ...deps, pairing: { ...deps.pairing, server: 'http://127.0.0.1:1' } };
  const error = await errorOf(fetchDeliveries(nowhere));
  expect(error).toBeInstanceOf(CommandError);
  expect(String(error)).toContain('127.0.0.1:1');
});
