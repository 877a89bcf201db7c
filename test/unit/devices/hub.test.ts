import { expect, test } from 'bun:test';
import { openHub } from '../../../src/devices/hub.ts';
import type { DeviceId } from '../../../src/devices/model.ts';
import { createMetrics } from '../../../src/lib/metrics.ts';
import type { DeviceAuthentication } from '../../../src/sessions/ledger.ts';
import { liveThings } from '../../../src/sessions/live-things.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import { DEFAULT_MUX_LIMITS } from '../../../src/tunnel/model.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

const PEER = {
  deviceId: 'dev_a' as DeviceId,
  sessionId: 'ses_a' as SessionId,
  address: '192.0.2.1',
  userAgent: undefined,
  instance: undefined,
};
const TIMING = {
  heartbeatIntervalMs: 20_000,
  heartbeatTimeoutMs: 45_000,
  seenIntervalMs: 900_000,
  answerTimeoutMs: 120_000,
  idleTimeoutMs: 86_400_000,
};

test.each([
  ['the database is out', () => Promise.reject(new Error('busy')), 'busy'],
  ['the device is not paired any more', () => ({ ok: false, reason: 'revoked' }) as const, 'unknown_device'],
] as [string, () => DeviceAuthentication | Promise<DeviceAuthentication>, string][])(
  'a tunnel that is not let in is attached to nothing: %s',
  async (_what, recogniseDevice, outcome) => {
    await using base = temporaryLedger();
    const live = liveThings(() => undefined);
    const { ledger } = base;
    const hub = openHub({
      ledger: {
        attach: (id, close) => live.attach(id, close),
        recogniseDevice,
        touch: (id) => ledger.touch(id),
        findDurable: (id) => ledger.findDurable(id),
        lastSeenAt: (id) => ledger.lastSeenAt(id),
      },
      audit: base.audit,
      metrics: createMetrics(),
      clock: new ManualClock(),
      log: recordedLog(),
      limits: DEFAULT_MUX_LIMITS,
      timing: TIMING,
      socketsPerSession: 1,
    });
    const accepting = hub.accept(PEER, 'key');
    expect(live.count).toBe(1);
    const failed = await errorOf(accepting);
    expect(failed instanceof Error ? failed.message : await accepting).toBe(outcome);
    expect(live.count).toBe(0);
  },
);
