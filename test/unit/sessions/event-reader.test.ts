import { describe, expect, test } from 'bun:test';
import {
  type EventReader,
  type EventSource,
  eventReader,
  type ServerIdentity,
  type StreamRead,
} from '../../../src/sessions/event-reader.ts';
import { heartbeats } from '../../../src/sessions/heartbeats.ts';
import type { StreamState } from '../../../src/sessions/stream-progress.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

const TIMEOUT_MS = 5_000;
const DRAINED = { sessions: true, devices: true };

/** Two streams and a server that are what the test says; reads wait for it. */
function scripted() {
  const clock = new ManualClock();
  const log = recordedLog();
  const beats = heartbeats(TIMEOUT_MS);
  const server: ServerIdentity = { runId: 'r1', replicationId: 'p1', role: 'master' };
  const state = { server, sessions: { last: '5-0', added: 5 }, devices: { last: '0-0', added: 0 } };
  const reads: PromiseWithResolvers<StreamRead>[] = [];
  const cursors: unknown[] = [];
  const done: string[] = [];
  const tails = { fail: undefined as Error | undefined };
  const agreed = { on: 'r1' };
  const catching = { up: async () => undefined as void };
  const cursorOf = ({ last, added }: StreamState) => ({ last, added, cursor: last });
  const source: EventSource = {
    whenReady: async () => undefined,
    renew: () => void done.push('renew'),
    async tails() {
      done.push('tails');
      if (tails.fail !== undefined) throw tails.fail;
      return {
        server: state.server,
        tails: { sessions: cursorOf(state.sessions), devices: cursorOf(state.devices) },
      };
    },
    read(from) {
      cursors.push(from);
      const read = Promise.withResolvers<StreamRead>();
      reads.push(read);
      return read.promise;
    },
    async beat() {
      state.sessions = {
        last: `${Number.parseInt(state.sessions.last, 10) + 1}-0`,
        added: state.sessions.added + 1,
      };
      done.push('beat');
      return { server: state.server, states: { sessions: state.sessions, devices: state.devices } };
    },
  };
  const ending = new AbortController();
  const start = (): EventReader =>
    eventReader(
      {
        source,
        beats,
        node: 'n',
        apply: () => undefined,
        forget: () => void done.push('forget'),
        catchUp: async () => {
          done.push('catch up');
          await catching.up();
        },
        server: {
          isAgreed: ({ runId }) => runId === agreed.on,
          agree: async ({ runId }) => {
            agreed.on = runId;
            done.push(`agree ${runId}`);
          },
        },
        publishedUntil: () => clock.monotonicNow(),
        resets: (reason) => ({ inc: () => void done.push(`reset ${reason}`) }),
        describe: (error) => (error instanceof Error ? error.message : 'unknown'),
        clock,
        log,
      },
      ending.signal,
    );
  /** Answers the read that waits with these entries of the stream of sessions. */
  const answer = async (...ids: string[]) => {
    const entries = ids.map((id) => ({ stream: 'sessions' as const, id, fields: ['a', 'b'] }));
    reads.shift()?.resolve({ entries, isDrained: DRAINED });
    await settle();
  };
  const fail = async () => {
    reads.shift()?.reject(new Error('cut'));
    await settle();
  };
  const end = async (reader: EventReader) => {
    ending.abort(new Error('over'));
    reads.shift()?.reject(new Error('cut'));
    await clock.advance(10_000);
    await reader.ended;
  };
  return { clock, log, beats, state, done, tails, agreed, catching, cursors, start, answer, fail, end };
}

describe('reading events', () => {
  test('begins at the tail, empties memory, catches up, and believes memory once a heartbeat came back', async () => {
    const s = scripted();
    const reader = s.start();
    await reader.begun;
    await settle();
    expect(s.done).toEqual(['tails', 'forget', 'catch up', 'beat']);
    expect(s.cursors).toEqual([{ sessions: '5-0', devices: '0-0' }]);
    expect(s.beats.until).toBe(-Infinity);
    await s.answer('6-0');
    expect(s.beats.until).toBe(TIMEOUT_MS);
    await s.end(reader);
  });

  test('believes nothing before it has caught up', async () => {
    const s = scripted();
    const caughtUp = Promise.withResolvers<void>();
    s.catching.up = () => caughtUp.promise;
    const reader = s.start();
    await reader.begun;
    await settle();
    await reader.beat();
    expect(s.done).not.toContain('beat');
    caughtUp.resolve();
    await settle();
    expect(s.done).toContain('beat');
    await s.end(reader);
  });

  test('begins anew where it could not catch up', async () => {
    const s = scripted();
    let attempts = 0;
    s.catching.up = async () => {
      if (++attempts === 1) throw new Error('away');
    };
    const reader = s.start();
    await reader.begun;
    await settle();
    await s.answer();
    await s.clock.advance(2_000);
    expect(attempts).toBe(2);
    expect(s.done).toContain('reset connection');
    await s.end(reader);
  });

  test('leaves a server that others do not read from, at once, and makes theirs the one where it begins', async () => {
    const s = scripted();
    const reader = s.start();
    await reader.begun;
    await settle();
    await s.answer('6-0');
    expect(s.beats.until).toBe(TIMEOUT_MS);
    s.agreed.on = 'r2';
    await reader.beat();
    expect(s.beats.until).toBe(-Infinity);
    expect(s.done.filter((each) => each === 'beat')).toHaveLength(1);
    await s.answer();
    expect(s.done.slice(-2)).toEqual(['reset server', 'renew']);
    await s.clock.advance(2_000);
    expect(s.done.slice(6)).toEqual(['tails', 'agree r1', 'forget', 'catch up', 'beat']);
    await s.end(reader);
  });

  test('that breaks off leaves memory believed until its time, and begins anew', async () => {
    const s = scripted();
    const reader = s.start();
    await reader.begun;
    await settle();
    await s.answer('6-0');
    await s.fail();
    expect(s.beats.until).toBe(TIMEOUT_MS);
    await s.clock.advance(2_000);
    expect(s.done.slice(4)).toEqual(['reset connection', 'tails', 'forget', 'catch up', 'beat']);
    expect(s.beats.until).toBe(-Infinity);
    await s.answer('7-0');
    expect(s.beats.until).toBeGreaterThan(TIMEOUT_MS);
    await s.end(reader);
  });

  const OTHERS: readonly Partial<ServerIdentity>[] = [
    { runId: 'r2' },
    { replicationId: 'p2' },
    { role: 'slave' },
  ];
  test.each(OTHERS)('begins anew, and believes nothing, when the server is another: %p', async (other) => {
    const s = scripted();
    const reader = s.start();
    await reader.begun;
    await settle();
    await s.answer('6-0');
    s.state.server = { ...s.state.server, ...other };
    await reader.beat();
    expect(s.beats.until).toBe(-Infinity);
    await s.answer();
    expect(s.done.slice(-2)).toEqual(['reset server', 'renew']);
    await s.end(reader);
  });

  test('sees that an entry before the heartbeat never came', async () => {
    const s = scripted();
    const reader = s.start();
    await reader.begun;
    await settle();
    // One was added and is gone.
    s.state.sessions = { last: '6-0', added: s.state.sessions.added + 1 };
    await reader.beat();
    await s.answer('7-0');
    expect(s.beats.until).toBe(-Infinity);
    expect(s.done).toContain('reset events_lost');
    await s.end(reader);
  });

  test('sees that a stream on which nothing follows has lost its newest', async () => {
    const s = scripted();
    const reader = s.start();
    await reader.begun;
    await settle();
    await s.answer('6-0');
    s.state.devices = { last: '3-0', added: 1 };
    await reader.beat();
    // The read that was under way may have been too early for it.
    await s.answer('7-0');
    expect(s.done).not.toContain('reset events_lost');
    await s.answer();
    expect(s.done).toContain('reset events_lost');
    await s.end(reader);
  });

  test('rejects at the start what cannot be read, goes on trying, and says so once', async () => {
    const s = scripted();
    s.tails.fail = new Error('no');
    const reader = s.start();
    expect(await reader.begun.catch((error: Error) => error.message)).toBe('no');
    await s.clock.advance(60_000);
    expect(s.log.lines.length).toBe(1);
    expect(s.done.filter((each) => each === 'tails').length).toBeLessThan(50);
    s.tails.fail = undefined;
    await s.clock.advance(2_000);
    await s.answer('6-0');
    expect(s.beats.until).toBeGreaterThan(60_000);
    await s.end(reader);
  });
});
