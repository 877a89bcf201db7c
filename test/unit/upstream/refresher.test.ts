import { afterEach, beforeEach, expect, test } from 'bun:test';
import { AppError } from '../../../src/lib/app-error.ts';
import { keyRing } from '../../../src/lib/key-ring.ts';
import type { RefreshResult } from '../../../src/upstream/metrics.ts';
import type { UpstreamGrant, UpstreamGrantId } from '../../../src/upstream/model.ts';
import type { RefreshAnswer, UpstreamProvider } from '../../../src/upstream/provider.ts';
import { type Refresher, refresher } from '../../../src/upstream/refresher.ts';
import type { UpstreamToken } from '../../../src/upstream/tokens.ts';
import { ownTurns } from '../../../src/upstream/turns.ts';
import { vault } from '../../../src/upstream/vault.ts';
import type { UserId } from '../../../src/users/model.ts';
import { TEST_SECRET } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

/** A disk that takes nothing, and a provider that gives a token once: what no real peer does when it is asked to. */

const box = vault(keyRing([TEST_SECRET]));
const place = { id: 'upg_a' as UpstreamGrantId, userId: 'usr_a' as UserId };
const GRANT: UpstreamGrant = {
  ...place,
  provider: 'work',
  subject: 'ada',
  accountName: undefined,
  scope: undefined,
  status: 'active',
  endReason: undefined,
  sealedAccessToken: box.sealToken(place, 'access_token', 'old'),
  sealedRefreshToken: box.sealToken(place, 'refresh_token', 'once'),
  obtainedAt: 0,
  expiresAt: 1_000,
  version: 1,
  linkedAt: 0,
};

let clock: ManualClock;
let log: ReturnType<typeof recordedLog>;
let counted: RefreshResult[];
let asked: string[];
let isFull: boolean;
let committed: string[];
let refreshing: Refresher;

const answer = (token: string): RefreshAnswer => ({
  kind: 'tokens',
  tokens: {
    accessToken: token,
    refreshToken: `${token}-next`,
    expiresAt: 9_000,
    scope: undefined,
    obtainedAt: 5_000,
  },
});

const provider: UpstreamProvider = {
  name: 'work',
  label: 'work',
  authorizationUrl: async () => new URL('https://work.example'),
  redeem: () => Promise.reject(new Error('nobody links here')),
  revoke: async () => true,
  async refresh(refreshToken) {
    asked.push(refreshToken);
    return answer(`new-${asked.length}`);
  },
};

beforeEach(() => {
  clock = new ManualClock();
  log = recordedLog();
  counted = [];
  asked = [];
  committed = [];
  isFull = false;
  refreshing = refresher({
    grants: {
      async replaceTokens(grant, { accessToken, expiresAt }): Promise<UpstreamToken | undefined> {
        if (isFull) throw new AppError('unavailable', 'store_unavailable', 'full');
        committed.push(accessToken);
        return { accessToken, expiresAt, version: grant.version + 1 };
      },
      end: async () => true,
    },
    store: { find: () => GRANT },
    vault: box,
    providers: { find: () => provider },
    turns: ownTurns,
    clock,
    log,
    count: (_provider, outcome) => void counted.push(outcome),
    onFailure: () => undefined,
    timing: { retry_first: 1_000, retry_longest: 60_000 },
  });
});

afterEach(() => refreshing[Symbol.asyncDispose]());

test('new tokens that the disk does not take are handed to nobody, kept, and written as soon as it can', async () => {
  isFull = true;
  expect(await refreshing.refresh(GRANT)).toEqual({ kind: 'unavailable', retryAfterMs: 1_000 });
  expect(await refreshing.refresh(GRANT)).toMatchObject({ kind: 'unavailable' });
  await clock.advance(1_000);
  expect(await refreshing.refresh(GRANT)).toEqual({ kind: 'unavailable', retryAfterMs: 2_000 });
  expect(committed).toEqual([]);
  isFull = false;
  await clock.advance(2_000);
  expect(await refreshing.refresh(GRANT)).toMatchObject({
    kind: 'refreshed',
    token: { accessToken: 'new-1' },
  });
  expect(asked).toEqual(['once']);
  expect(committed).toEqual(['new-1']);
  expect(counted).toEqual(['uncommitted', 'uncommitted', 'success']);
  expect(JSON.stringify(log.lines)).not.toContain('new-1');
});

test('what is kept is dropped when the grant is another version by then', async () => {
  isFull = true;
  await refreshing.refresh(GRANT);
  isFull = false;
  await clock.advance(1_000);
  expect(await refreshing.refresh({ ...GRANT, version: 2 })).toEqual({ kind: 'superseded' });
  expect(committed).toEqual([]);
});

test('a refresh token that no key opens means linking again', async () => {
  const stranger = vault(keyRing([new Uint8Array(32).fill(9)]));
  const sealedRefreshToken = stranger.sealToken(place, 'refresh_token', 'once');
  expect(await refreshing.refresh({ ...GRANT, sealedRefreshToken })).toEqual({ kind: 'ended' });
  expect(asked).toEqual([]);
});

test('nothing begins once it has been closed', async () => {
  await refreshing[Symbol.asyncDispose]();
  expect(await refreshing.refresh(GRANT)).toMatchObject({ kind: 'unavailable' });
  expect(asked).toEqual([]);
});
