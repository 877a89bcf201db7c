import { expect, test } from 'bun:test';
import { interner } from '../../../src/lib/interner.ts';

test('the same text gives the same value', () => {
  const list = interner((json) => JSON.parse(json) as string[]);
  expect(list('["a"]')).toBe(list('["a"]'));
  expect(list('["a"]')).toEqual(['a']);
  expect(list('["b"]')).toEqual(['b']);
});

test('what fails is tried again', () => {
  const list = interner((json) => JSON.parse(json) as unknown);
  expect(() => list('[')).toThrow();
  expect(() => list('[')).toThrow();
});

test('texts that are never the same twice take no more than a bounded place', () => {
  let made = 0;
  const count = interner(() => ++made);
  for (let text = 0; text < 5_000; text++) count(String(text));
  expect(count('4999')).toBe(5_000);
  expect(count('0')).toBe(5_001);
});
