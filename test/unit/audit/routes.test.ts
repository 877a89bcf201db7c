import { expect, test } from 'bun:test';
import type { z } from 'zod';
import type { auditPageDto } from '../../../src/audit/dto.ts';
import type { SessionToken } from '../../../src/sessions/model.ts';
import { type TemporaryApi, temporaryApi } from '../../support/api.ts';

async function page(
  api: TemporaryApi,
  cookie: SessionToken,
  query = '',
): Promise<z.output<typeof auditPageDto>> {
  const response = await api.call(`/api/v1/audit${query}`, { cookie });
  expect(response.status).toBe(200);
  return (await response.json()) as z.output<typeof auditPageDto>;
}

async function recordFor(api: TemporaryApi, actorUserId: string, count: number, subjectUserId?: string) {
  await api.base.db.write((tx) => {
    for (let each = 0; each < count; each++) {
      api.base.audit.record(tx, {
        at: api.base.clock.now(),
        action: 'sign_in',
        outcome: 'success',
        actorUserId,
        subjectUserId,
        address: '203.0.113.5',
        userAgent: 'somewhere',
        detail: { number: each },
      });
    }
  });
}

test('pages go from the newest to the oldest, without a gap or a row twice', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  await recordFor(api, ada.userId, 7);
  const seen: number[] = [];
  let query = '?limit=3';
  for (;;) {
    const { events, next_before } = await page(api, ada.token, query);
    seen.push(...events.map(({ id }) => id));
    if (next_before === null) break;
    // Rows that come meanwhile belong to no later page.
    await recordFor(api, ada.userId, 1);
    query = `?limit=3&before=${next_before}`;
  }
  expect(seen).toHaveLength(7);
  expect(seen).toEqual([...new Set(seen)].sort((a, b) => b - a));
});

test('everybody sees what they did or suffered, and where others sit only an owner', async () => {
  await using api = temporaryApi();
  const owner = await api.signInOwner();
  const ada = await api.signIn();
  const bob = await api.signIn();
  await recordFor(api, ada.userId, 1);
  await recordFor(api, bob.userId, 1);
  await recordFor(api, owner.userId, 1, ada.userId);

  const mine = (await page(api, ada.token)).events;
  expect(mine).toHaveLength(2);
  expect(mine[0]).toMatchObject({
    actor_user_id: owner.userId,
    subject_user_id: ada.userId,
    address: null,
    user_agent: null,
  });
  expect(mine[1]).toMatchObject({
    actor_user_id: ada.userId,
    address: '203.0.113.5',
    user_agent: 'somewhere',
  });

  const all = (await page(api, owner.token)).events;
  expect(all).toHaveLength(3);
  expect(all.every(({ address }) => address === '203.0.113.5')).toBe(true);
  const ofAda = (await page(api, owner.token, `?user=${ada.userId}`)).events;
  expect(ofAda.map(({ id }) => id)).toEqual(mine.map(({ id }) => id));
});

test('a member asks for nobody else’s rows', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const bob = await api.signIn();
  const response = await api.call(`/api/v1/audit?user=${bob.userId}`, { cookie: ada.token });
  expect(response.status).toBe(403);
  expect((await page(api, ada.token, `?user=${ada.userId}`)).events).toEqual([]);
});

test('a query that does not fit is refused', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const bad = [
    '?limit=0',
    '?limit=201',
    '?limit=-1',
    '?limit=1e2',
    '?limit= 5',
    '?before=0',
    '?before=x',
    '?user=x',
    '?page=2',
  ];
  for (const query of bad) {
    const response = await api.call(`/api/v1/audit${query}`, { cookie: ada.token });
    expect([query, response.status]).toEqual([query, 422]);
  }
  expect((await page(api, ada.token, '?limit=200&before=9007199254740991')).next_before).toBeNull();
});
