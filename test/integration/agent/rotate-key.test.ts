import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { rotateKey } from '../../../src/agent/rotate-key.ts';
import { type Clock, systemClock } from '../../../src/lib/clock.ts';
import type { Browser } from '../../support/browser.ts';
import { errorOf } from '../../support/error-of.ts';
import { freePort } from '../../support/free-port.ts';
import { type AgentPlace, agentPlace, newPairing } from '../../support/site-agent.ts';
import { until } from '../../support/until.ts';
import { type WholeSite, wholeSite } from '../../support/whole-site.ts';

let site: WholeSite;
let owner: Browser;
beforeAll(async () => {
  site = await wholeSite();
  owner = await site.signedIn('owner');
});
afterAll(() => site?.[Symbol.asyncDispose]());

async function joined(name: string): Promise<AgentPlace> {
  const place = agentPlace(site);
  await place.join((await newPairing(site, owner)).code, { name });
  return place;
}

function rotate({ state }: AgentPlace, clock: Clock = systemClock, server?: string): Promise<void> {
  const pairing = state.pairing();
  if (pairing === undefined) throw new Error('not paired');
  return rotateKey({ state, pairing: { ...pairing, ...(server && { server }) }, clock, ca: undefined });
}

async function connects(place: AgentPlace): Promise<void> {
  await using agent = place.start();
  await until('it connects', () => agent.status().phase === 'connected');
}

test('a device gets a new key, and connects with it; the one before is worth nothing', async () => {
  using place = await joined('Turner');
  const [key, pairing] = [place.state.key(), place.state.pairing()];
  await rotate(place);
  expect(place.state.key().publicKey).not.toBe(key.publicKey);
  expect(place.state.pairing()?.sessionToken).not.toBe(pairing?.sessionToken);
  expect(readdirSync(place.state.directory).toSorted()).toEqual(['device.json', 'key']);
  await connects(place);

  await Bun.write(`${place.state.directory}/key`, Buffer.from(key.seed).toString('base64url'));
  await using agent = place.start();
  await until('it has tried', () => agent.status().dials > 2);
  expect(agent.status()).toMatchObject({ phase: expect.not.stringContaining('connected'), connections: 0 });
});

test('an agent that runs dials again, with the new key', async () => {
  using place = await joined('Runner');
  await using agent = place.start();
  await until('it connects', () => agent.status().phase === 'connected');
  await rotate(place);
  await until('it has dialled again', () => agent.status().connections === 2);
  expect(agent.status().phase).toBe('connected');
});

test('a lost answer locks nobody out', async () => {
  using place = await joined('Unlucky');
  const before = place.state.key();
  place.state.nextKey();
  // The server takes the new key, and only the copy hears of it.
  using copy = agentPlace(site);
  for (const file of readdirSync(place.state.directory)) {
    await Bun.write(`${copy.state.directory}/${file}`, Bun.file(`${place.state.directory}/${file}`));
  }
  await rotate(copy);
  expect(place.state.key().publicKey).toBe(before.publicKey);

  await rotate(place);
  expect(place.state.key().publicKey).toBe(copy.state.key().publicKey);
  expect(readdirSync(place.state.directory)).not.toContain('key.next');
  await connects(place);
});

test('with a wrong clock', async () => {
  using place = await joined('Clockless');
  await rotate(place, { ...systemClock, now: () => systemClock.now() - 86_400_000 });
  await connects(place);
});

test('without a server nothing changes', async () => {
  using place = await joined('Alone');
  const before = place.state.key().publicKey;
  const failure = await errorOf(rotate(place, systemClock, `http://localhost:${freePort()}`));
  expect(String(failure)).toContain('the server cannot be reached (ECONNREFUSED); try again');
  expect(place.state.key().publicKey).toBe(before);
  await connects(place);
});
