import { expect, setDefaultTimeout, test } from 'bun:test';
import { FAULTS } from '../support/fault-proxy.ts';
import { BACK_WITHIN_MS, type FaultSite, faultSite } from '../support/fault-site.ts';
import { faultTraffic } from '../support/fault-traffic.ts';
import { residentBytes } from '../support/processes.ts';
import { seededRandom } from '../support/random.ts';
import { until } from '../support/until.ts';

/** Each takes about a second and a half: 200 of them fit in ten minutes. */
const COUNT = Number(process.env['POSTERN_TEST_FAULTS'] ?? 21);
const SEED = Number(process.env['POSTERN_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** How long faults last that pass, in milliseconds: some are over before anybody has noticed. */
const LASTS = [100, 1_500] as const;
/** Both sides run on a machine that does other things besides. */
const SLACK_MS = 1_000;
/** Caches and heaps settle after the first faults. */
const WARM_UP = Math.min(20, Math.ceil(COUNT / 3));
const FLAT_BYTES = 48 * 1_048_576;

setDefaultTimeout(120_000 + COUNT * 6_000);

/** How long it takes until a request gets through. */
async function back(site: FaultSite): Promise<number> {
  const since = performance.now();
  await until('the agent is back', async () => {
    const signal = AbortSignal.timeout(BACK_WITHIN_MS);
    const answer = await site.fetch('/empty', { signal }).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.status === 204;
  });
  return performance.now() - since;
}

test(`${COUNT} faults of the line (seed ${SEED}): back in time, nothing hangs, memory stays flat`, async () => {
  const random = seededRandom(SEED);
  await using site = await faultSite(LASTS);
  await using traffic = faultTraffic(site, random.below(2 ** 31));
  const memory: { appliance: number; agent: number }[] = [];
  const waits: { fault: string; ms: number }[] = [];
  for (let count = 0; count < COUNT; count++) {
    const fault = FAULTS[count % FAULTS.length] ?? 'cut';
    await site.proxy.inject(fault, random);
    const ms = await back(site);
    waits.push({ fault, ms });
    expect({ fault, count, isInTime: ms <= BACK_WITHIN_MS + SLACK_MS, ms }).toMatchObject({ isInTime: true });
    // Some faults come while the line has only just healed, others once all has settled.
    await Bun.sleep(random.between(0, 500));
    memory.push({
      appliance: residentBytes(site.appliance.process.pid),
      agent: residentBytes(site.agent.pid),
    });
  }
  const done = await traffic.stop();
  expect(done.hung).toEqual([]);
  expect(done.wrong).toEqual([]);
  expect(done.succeeded).toBeGreaterThan(COUNT);
  for (const side of ['appliance', 'agent'] as const) {
    const settled = Math.max(...memory.slice(0, WARM_UP).map((each) => each[side]));
    const last = Math.min(...memory.slice(-3).map((each) => each[side]));
    expect({ side, grown: last - settled, isFlat: last - settled < FLAT_BYTES }).toMatchObject({
      isFlat: true,
    });
  }
  await until('no stream is left', async () => (await site.streams()) === 0);
  await until('the app serves nobody any more', () => !site.service.open.has('events'));
  expect(site.agent.err()).not.toContain('a bug');
  expect(site.appliance.printed()).not.toContain('a bug');
  console.log(summary(waits, done, memory));
});

function summary(
  waits: readonly { fault: string; ms: number }[],
  { succeeded, failed }: { succeeded: number; failed: number },
  memory: readonly { appliance: number; agent: number }[],
): string {
  const byFault = FAULTS.map((fault) => {
    const own = waits.filter((each) => each.fault === fault).map(({ ms }) => ms);
    return `${fault} ${Math.round(Math.max(0, ...own))}`;
  });
  const mib = (side: 'appliance' | 'agent') =>
    [memory[0], memory.at(-1)].map((each) => Math.round((each?.[side] ?? 0) / 1_048_576)).join(' to ');
  return `longest way back in ms: ${byFault.join(', ')}; requests: ${succeeded} done, ${failed} failed; MiB: appliance ${mib('appliance')}, agent ${mib('agent')}`;
}
