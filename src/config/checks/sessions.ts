import { formatDuration } from '../duration.ts';
import type { Check } from './conflict.ts';

export const idleEndsFirst: Check = function* ({ sessions: { idle_timeout, absolute_lifetime } }) {
  if (idle_timeout <= absolute_lifetime) return;
  yield {
    path: ['sessions', 'idle_timeout'],
    others: [['sessions', 'absolute_lifetime']],
    expected: `at most sessions.absolute_lifetime, which is ${formatDuration(absolute_lifetime)}`,
  };
};
