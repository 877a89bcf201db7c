import type { Check } from './conflict.ts';

/** A secret that is still in use is not a previous one, and nobody means the same one twice. */
export const secretsDiffer: Check = function* ({ secret, previous_secrets }) {
  const all = secret === undefined ? previous_secrets : [secret, ...previous_secrets];
  if (new Set(all).size === all.length) return;
  yield {
    path: ['previous_secrets'],
    others: [['secret']],
    expected: 'secrets that differ, from each other and from secret',
  };
};
