import { describe, expect, test } from 'bun:test';
import { stripVTControlCharacters } from 'node:util';
import { decodeQR } from 'qr/decode.js';
import { qrLines, qrSvg } from '../../../src/lib/qr.ts';

const LINK = `https://auth.example.org/pair#${'aB3_-'.repeat(8)}xyz`;
/** Pixels a module. */
const SCALE = 4;

/** What a camera would see: dark where `isDark` says so. */
function read(size: number, isDark: (x: number, y: number) => boolean): string {
  const side = size * SCALE;
  const data = new Uint8Array(side * side * 4);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const light = isDark(Math.floor(x / SCALE), Math.floor(y / SCALE)) ? 0 : 255;
      data.set([light, light, light, 255], (y * side + x) * 4);
    }
  }
  return decodeQR({ width: side, height: side, data });
}

/** The dark modules that a path of runs draws. */
function darkOf(svg: string): Set<string> {
  const [, path = ''] = /fill="#000" d="([^"]*)"/.exec(svg) ?? [];
  const dark = new Set<string>();
  for (const [, x, y, length] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    for (let at = 0; at < Number(length); at++) dark.add(`${Number(x) + at},${y}`);
  }
  return dark;
}

describe('a QR code as SVG', () => {
  test('is read back as what it says', async () => {
    const svg = await qrSvg(LINK);
    const [, size] = /viewBox="0 0 (\d+) \1"/.exec(svg) ?? [];
    const dark = darkOf(svg);
    expect(read(Number(size), (x, y) => dark.has(`${x},${y}`))).toBe(LINK);
  });

  test('holds nothing that a strict policy stops, and nothing of the text', async () => {
    const svg = await qrSvg('https://x.example/"><script>alert(1)</script>');
    expect(svg).toMatch(/^<svg [^<>]*><path [^<>]*\/><path [^<>]*\/><\/svg>$/);
    expect(svg).not.toMatch(/style|script|href|on\w+=/);
  });

  test('leaves the four modules around it light', async () => {
    for (const place of darkOf(await qrSvg(LINK))) {
      const [x = 0, y = 0] = place.split(',').map(Number);
      expect(Math.min(x, y)).toBeGreaterThanOrEqual(4);
    }
  });
});

describe.each([true, false])('a QR code for a terminal, colours %p', (colours) => {
  test('is read back as what it says', async () => {
    const lines = await qrLines(LINK, { colours });
    const rows = lines.map((line) => Array.from(stripVTControlCharacters(line)));
    const isInked = (x: number, y: number) => {
      const sign = rows[Math.floor(y / 2)]?.[x] ?? ' ';
      return sign === '█' || sign === (y % 2 === 0 ? '▀' : '▄');
    };
    const size = rows[0]?.length ?? 0;
    expect(read(size, (x, y) => isInked(x, y) === colours)).toBe(LINK);
    expect(lines.length * 2 - size).toBeLessThanOrEqual(1);
  });
});
