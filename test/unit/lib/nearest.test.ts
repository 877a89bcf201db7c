import { expect, test } from 'bun:test';
import { nearest } from '../../../src/lib/nearest.ts';

const WORDS = ['serve', 'session', 'restore', 'data-dir', 'version'];

test.each([
  ['srve', 'serve'],
  ['serev', 'serve'],
  ['SERVE', 'serve'],
  ['sesion', 'session'],
  ['data_dir', 'data-dir'],
  ['datadir', 'data-dir'],
])('%s is nearest to %s', (word, meant) => {
  expect(nearest(word, WORDS)).toBe(meant);
});

test.each(['', 'x', 'frobnicate', '日本'])('%p is near to none', (word) => {
  expect(nearest(word, WORDS)).toBeUndefined();
});
