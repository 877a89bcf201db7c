import { describe, expect, test } from 'bun:test';
import { statSync } from 'node:fs';
import type { ReadinessCheck } from '../../../src/ops/model.ts';
import { readiness } from '../../../src/ops/readiness.ts';
import { probeRoutes } from '../../../src/ops/routes.ts';
import { clockCheck, databaseCheck } from '../../../src/ops/store-health.ts';
import { temporaryDatabase } from '../../support/database.ts';
import { temporaryServer } from '../../support/http-server.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';
import { recordedLog } from '../../support/silent-log.ts';

/** Asks a server with these parts over a socket. */
async function probe(path: string, parts: Record<string, ReadinessCheck | undefined>) {
  const routes = probeRoutes(readiness({ parts, clock: new ManualClock(), log: recordedLog() }));
  await using server = temporaryServer(() => {}, { probeRoutes: routes });
  const { status, headers, body } = await rawHttp(
    server.port,
    rawHead(`GET ${path} HTTP/1.1`, 'Host: probe'),
  );
  return { status, caching: headers.get('cache-control'), body: JSON.parse(body) };
}

const fails: ReadinessCheck = async () => {
  throw new Error('hunter2');
};

describe('probes', () => {
  test('hear that the process answers, whatever else is wrong', async () => {
    expect(await probe('/healthz', { database: fails })).toEqual({
      status: 200,
      caching: 'no-store',
      body: { status: 'ok' },
    });
  });

  test('hear which part is not ready, and no reason', async () => {
    expect(await probe('/readyz', { database: fails, redis: undefined })).toEqual({
      status: 503,
      caching: 'no-store',
      body: { status: 'not_ready', parts: { database: 'failing', redis: 'off' } },
    });
  });

  test('hear that the database works, until it is closed', async () => {
    const database = temporaryDatabase(new ManualClock());
    const parts = { database: databaseCheck(database.db) };
    const before = statSync(`${database.path}-wal`).mtimeMs;
    expect(await probe('/readyz', parts)).toMatchObject({ status: 200, body: { parts: { database: 'ok' } } });
    expect(statSync(`${database.path}-wal`).mtimeMs).toBe(before);
    await database[Symbol.asyncDispose]();
    expect(await probe('/readyz', parts)).toMatchObject({
      status: 503,
      body: { parts: { database: 'failing' } },
    });
  });

  test('hear that the clock is behind', async () => {
    const clock = new ManualClock();
    await using database = temporaryDatabase(clock);
    await database.db.write(() => undefined);
    const parts = { clock: clockCheck(database.db) };
    expect(await probe('/readyz', parts)).toMatchObject({ status: 200 });
    clock.setWall(0);
    expect(await probe('/readyz', parts)).toMatchObject({
      status: 503,
      body: { parts: { clock: 'failing' } },
    });
  });
});
