import { describe, expect, test } from 'bun:test';
import { mayEvict, serverFault, serverInfo } from '../../../src/redis/info.ts';

const server = (fields: Record<string, string>) =>
  serverInfo({ redis_version: '7.0.15', role: 'master', ...fields });

describe('a server', () => {
  test.each(['7.0.0', '7.0.15', '7.4.1', '8.2.1', '10.0.0'])('of version %s will do', (redis_version) => {
    expect(serverFault(server({ redis_version }))).toBeUndefined();
  });

  test.each(['2.8.0', '5.0.14', '6.0.16', '6.2.14', 'unknown'])('of version %s will not', (redis_version) => {
    expect(serverFault(server({ redis_version }))).toContain('7.0 is the oldest');
  });

  test('that does not say what it is, or follows another, will not', () => {
    expect(serverFault(serverInfo({}))).toContain('INFO');
    expect(serverFault(server({ role: 'slave' }))).toContain('replica');
  });

  test('says whether it may throw keys away', () => {
    const policies = ['noeviction', '', 'allkeys-lru', 'volatile-ttl'];
    expect(policies.map((maxmemory_policy) => mayEvict(server({ maxmemory_policy })))).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });
});
