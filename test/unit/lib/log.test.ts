import { expect, test } from 'bun:test';
import { createLogger, type LogFields } from '../../../src/lib/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function logged(format: 'json' | 'text', message: string, fields?: LogFields): string {
  const lines: string[] = [];
  createLogger({ format, level: 'info', clock: new ManualClock(0), write: (line) => lines.push(line) }).info(
    message,
    fields,
  );
  return lines.join('');
}

test('fields never stand in for what the line itself says', () => {
  const line = logged('json', 'hello', {
    message: 'other',
    level: 'error',
    time: 'never',
    id: 7,
    none: undefined,
  });
  expect(line).toBe('{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"hello","id":7}\n');
});

test('whatever a field holds, a line is written, and only one', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const fields = { circle, big: 12n, run: () => 1, text: 'a\nb', error: new TypeError('bad\nthing') };
  for (const format of ['json', 'text'] as const) {
    const line = logged(format, 'two\nlines', fields);
    expect(line.match(/\n/g)).toHaveLength(1);
    expect(line).toContain('(not printable)');
    expect(line).toContain('TypeError: bad\\nthing');
  }
  expect(JSON.parse(logged('json', 'm', fields))).toMatchObject({ message: 'm', big: '12' });
});
