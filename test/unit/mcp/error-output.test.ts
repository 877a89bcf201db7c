import { expect, test } from 'bun:test';
import type { LogFields, Logger } from '../../../src/lib/log.ts';
import { errorOutput } from '../../../src/mcp/error-output.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function recording(secrets: string[]) {
  const clock = new ManualClock();
  const entries: LogFields[] = [];
  const note = (_message: string, fields: LogFields = {}) => void entries.push(fields);
  const log: Logger = { debug: note, info: note, warn: note, error: note };
  const output = errorOutput({ log, clock, backend: 'files', pid: () => 7, secrets });
  return { clock, entries, output, texts: () => entries.map(({ text }) => text) };
}

test('secrets are hidden, as they are and as they stand in URLs and JSON', () => {
  const { output, texts } = recording(['p@ss "word"', 'token-1234']);
  output.line('using token-1234 and p@ss "word"');
  output.line(`https://x/?t=${encodeURIComponent('p@ss "word"')}`);
  output.line(JSON.stringify({ token: 'p@ss "word"' }));
  output.line('cut at toke');
  expect(texts()).toEqual([
    'using (hidden) and (hidden)',
    'https://x/?t=(hidden)',
    '{"token":"(hidden)"}',
    'cut at (hidden)',
  ]);
});

test('a child that writes on and on is cut short, and counted', async () => {
  const { clock, output, entries } = recording([]);
  for (let at = 0; at < 200; at++) output.line(`line ${at}`);
  expect(entries).toHaveLength(50);
  await clock.advance(10_000);
  output.line('later');
  expect(entries.slice(50)).toEqual([
    { backend: 'files', pid: 7, lines: 150 },
    { backend: 'files', pid: 7, text: 'later' },
  ]);
});
