import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { redisOutage } from './errors.ts';

/** A script that Redis runs as one step, so that a change is whole or not at all. */
export interface RedisScript {
  readonly lua: string;
  readonly sha: string;
}

export const redisScript = (lua: string): RedisScript => ({
  lua,
  sha: createHash('sha1').update(lua).digest('hex'),
});

/** Runs a script in one round trip; its text is sent only where Redis does not have it. Rejects with `redisOutage`. */
export type RunScript = (
  script: RedisScript,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<unknown>;

export function scriptRunner(redis: Pick<Redis, 'evalsha' | 'eval'>): RunScript {
  return async ({ lua, sha }, keys, args) => {
    try {
      return await redis.evalsha(sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isUnknownScript(error)) throw redisOutage(error);
    }
    try {
      return await redis.eval(lua, keys.length, ...keys, ...args);
    } catch (error) {
      throw redisOutage(error);
    }
  };
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
