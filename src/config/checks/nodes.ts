import type { Check } from './conflict.ts';

/** Nobody else could have what this process leaves out: without Redis it is alone. */
export const rolesNeedRedis: Check = function* ({ roles, redis }) {
  const missing = (['broker', 'hub'] as const).filter((role) => !roles.includes(role));
  if (redis.url !== undefined || missing.length === 0) return;
  yield {
    path: ['roles'],
    others: [['redis', 'url']],
    expected: `both "broker" and "hub", because without redis.url no other process can be ${missing.join(' or ')}`,
  };
};
