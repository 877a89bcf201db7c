import { heapStats } from 'bun:jsc';
import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { type LongLine, lineSplitter } from '../../../src/mcp/line-splitter.ts';

function collect(maxBytes = 1_000) {
  const lines: string[] = [];
  const long: LongLine[] = [];
  const splitter = lineSplitter({
    maxBytes,
    onLine: (line) => lines.push(line),
    onLong: (line) => long.push(line),
  });
  return { splitter, lines, long };
}

const bytes = (text: string) => new TextEncoder().encode(text);

test('several lines in one chunk, and one over several', () => {
  const { splitter, lines } = collect();
  splitter.push(bytes('one\ntwo\n\nth'));
  splitter.push(bytes('re'));
  splitter.push(bytes('e\nfour'));
  expect(lines).toEqual(['one', 'two', 'three']);
  splitter.end();
  expect(lines).toEqual(['one', 'two', 'three', 'four']);
});

test('a character cut in two, byte by byte', () => {
  const { splitter, lines } = collect();
  for (const byte of bytes('é 漢字 🙂\n')) splitter.push(Uint8Array.of(byte));
  expect(lines).toEqual(['é 漢字 🙂']);
});

test('what is not UTF-8 stays on its line', () => {
  const { splitter, lines } = collect();
  splitter.push(Uint8Array.of(0xff, 0xfe, 0x0a));
  splitter.push(bytes('next\n'));
  expect(lines).toEqual(['\u{fffd}\u{fffd}', 'next']);
});

test('a line as long as may be is taken, one byte more is dropped with both its ends told', () => {
  const { splitter, lines, long } = collect(10);
  splitter.push(bytes('0123456789\n0123456789x\nshort\n'));
  expect(lines).toEqual(['0123456789', 'short']);
  expect(long).toEqual([{ bytes: 11, head: '0123456789x', tail: '0123456789x' }]);
});

test('of a line of 100 MB nothing is kept but its ends', () => {
  const { splitter, lines, long } = collect(1_000_000);
  const before = process.memoryUsage().rss;
  const chunk = new Uint8Array(65_536).fill(0x78);
  splitter.push(bytes('{"id":7,"result":"'));
  for (let at = 0; at < 1_600; at++) splitter.push(chunk);
  splitter.push(bytes('","id":7}\nafter\n'));
  expect(lines).toEqual(['after']);
  expect(long[0]?.bytes).toBe(18 + 1_600 * 65_536 + 9);
  expect(long[0]?.head).toStartWith('{"id":7,');
  expect(long[0]?.tail).toEndWith('","id":7}');
  expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000);
});

test('a line that comes byte by byte is not held byte by byte', () => {
  const { splitter, lines } = collect(1_000_000);
  const before = arrays();
  for (let at = 0; at < 200_000; at++) splitter.push(Uint8Array.of(0x78));
  expect(arrays() - before).toBeLessThan(10_000);
  splitter.push(bytes('\nafter\n'));
  expect(lines.map(({ length }) => length)).toEqual([200_000, 5]);
});

/** Those that somebody still holds. */
function arrays(): number {
  Bun.gc(true);
  return heapStats().objectTypeCounts['Uint8Array'] ?? 0;
}

test('however bytes are cut into chunks, the lines are the same', () => {
  const line = fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replaceAll('\n', ' '));
  const property = fc.property(fc.array(line), fc.array(fc.integer({ min: 1, max: 7 })), (all, cuts) => {
    const whole = bytes(all.map((each) => `${each}\n`).join(''));
    const { splitter, lines } = collect();
    let at = 0;
    for (let turn = 0; at < whole.length; turn++) {
      const size = cuts.length === 0 ? whole.length : (cuts[turn % cuts.length] ?? 1);
      splitter.push(whole.subarray(at, at + size));
      at += size;
    }
    splitter.end();
    const sent = all
      .filter((each) => each !== '')
      .map((each) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes(each)));
    expect(lines).toEqual(sent);
  });
  fc.assert(property);
});
