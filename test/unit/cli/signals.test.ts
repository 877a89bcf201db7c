import { describe, expect, test } from 'bun:test';
import { EventEmitter } from 'node:events';
import { hangUpEnds } from '../../../src/cli/serve/hang-up.ts';
import { endingSignals } from '../../../src/cli/serve/signals.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';

function listening({ hangUp = false } = {}) {
  const clock = new ManualClock();
  const source = new EventEmitter();
  const signals = endingSignals(clock, source, hangUp);
  const seen: string[] = [];
  void signals.first.then((signal) => seen.push(`first ${signal}`));
  void signals.second.then((signal) => seen.push(`second ${signal}`));
  return { clock, source, signals, seen };
}

describe('signals', () => {
  test('the first asks, the second insists', async () => {
    const { source, seen } = listening();
    source.emit('SIGTERM');
    await settle();
    expect(seen).toEqual(['first SIGTERM']);
    source.emit('SIGTERM');
    await settle();
    expect(seen).toEqual(['first SIGTERM', 'second SIGTERM']);
  });

  test('SIGINT twice in one keystroke is one', async () => {
    const { clock, source, seen } = listening();
    source.emit('SIGINT');
    source.emit('SIGINT');
    await clock.advance(199);
    source.emit('SIGINT');
    await settle();
    expect(seen).toEqual(['first SIGINT']);
    await clock.advance(1);
    source.emit('SIGINT');
    await settle();
    expect(seen).toEqual(['first SIGINT', 'second SIGINT']);
  });

  test('a hang-up ends only what was started to end with its terminal', async () => {
    const detached = listening();
    detached.source.emit('SIGHUP');
    const attached = listening({ hangUp: true });
    attached.source.emit('SIGHUP');
    await settle();
    expect([detached.seen, attached.seen]).toEqual([[], ['first SIGHUP']]);
    expect(detached.source.listenerCount('SIGHUP')).toBe(1);
  });

  test('nobody listens any more once disposed of', () => {
    const { source, signals } = listening();
    signals[Symbol.dispose]();
    expect(source.eventNames()).toEqual([]);
  });
});

describe('whether closing the terminal ends the process', () => {
  const files = (group: number, terminalGroup: number, ignored: string) => (path: string) =>
    path.endsWith('stat')
      ? `4711 (a) name) of (it) R 1 ${group} 4711 34816 ${terminalGroup} 4194304 0`
      : `Name:\tbun\nSigBlk:\t0000000000000000\nSigIgn:\t${ignored}\nSigCgt:\t0\n`;

  test.each([
    ['in the foreground', files(42, 42, '0000000000001000'), true],
    ['in the background (&)', files(43, 42, '0000000000001000'), false],
    ['with nohup', files(42, 42, '0000000000001001'), false],
    ['without a terminal', files(42, -1, '0000000000001000'), false],
    ['where the system does not say', () => '', false],
    [
      'where there is no /proc',
      () => {
        throw new Error('ENOENT');
      },
      false,
    ],
  ])('%s', (_, read, ends) => {
    expect(hangUpEnds(read)).toBe(ends);
  });
});
