import { expect, test } from 'bun:test';
import { columns, printable } from '../../../src/cli/table.ts';

test('columns line up, wide characters included, and nothing trails', () => {
  expect(
    columns(
      [
        ['a', 'b'],
        ['日本', 'c'],
        ['xyz', ''],
      ],
      '> ',
    ),
  ).toEqual(['> a     b', '> 日本  c', '> xyz']);
});

test('no rows, no lines', () => {
  expect(columns([])).toEqual([]);
});

test('what could move the cursor or turn text around becomes visible', () => {
  expect(printable('a\u001B[2Jb\u009Bc\nd\u202Ee')).toBe('a\uFFFD[2Jb\uFFFDc\uFFFDd\uFFFDe');
  expect(printable('Zoë 🦊')).toBe('Zoë 🦊');
});
