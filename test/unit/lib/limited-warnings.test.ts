import { expect, test } from 'bun:test';
import { limitedWarnings } from '../../../src/lib/limited-warnings.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

test('warnings stop at so many a minute, and what was left out is counted in a later one', async () => {
  const [log, clock] = [recordedLog(), new ManualClock()];
  const warn = limitedWarnings(log, clock, { perMinute: 2, more: 'more of it' });
  for (let each = 1; each <= 5; each++) warn('it', { each });
  const said = () => log.lines.map(({ fields }) => fields);
  expect(said()).toMatchObject([{ each: 1 }, { each: 2 }]);
  await clock.advance(59_999);
  warn('it', { each: 6 });
  expect(said()).toHaveLength(2);
  await clock.advance(1);
  warn('it', { each: 7 });
  expect(said().slice(2)).toMatchObject([{ dropped: 4 }, { each: 7 }]);
  await clock.advance(60_000);
  warn('it', { each: 8 });
  expect(said().slice(4)).toMatchObject([{ each: 8 }]);
});
