import { describe, expect, test } from 'bun:test';
import { hostname } from 'node:os';
import { rolesNeedRedis } from '../../../src/config/checks/nodes.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { nodeName } from '../../../src/config/schema-node.ts';

const REDIS = { url: 'redis://127.0.0.1:6379/0' };

describe('the name of a node', () => {
  test('is that of the host unless it is given', () => {
    expect(nodeName(configSchema.parse({}))).toBe(hostname());
    expect(nodeName(configSchema.parse({ node: 'pi-1.home_2' }))).toBe('pi-1.home_2');
  });

  test.each(['', ' pi', 'pi 1', '-pi', '.', 'pi/1', 'pi\n', 'p"i', 'é', 'x'.repeat(64)])(
    'is refused where it would not fit a header or a file: %p',
    (node) => {
      const { error } = configSchema.safeParse({ node });
      expect(error?.issues.map(({ path }) => path)).toEqual([['node']]);
    },
  );
});

describe('roles', () => {
  const conflicts = (config: object) => [...rolesNeedRedis(configSchema.parse(config))];

  test('are both unless somebody says otherwise', () => {
    expect(configSchema.parse({}).roles).toEqual(['broker', 'hub']);
    expect(conflicts({})).toEqual([]);
    expect(conflicts({ roles: ['hub', 'broker'] })).toEqual([]);
  });

  test.each([
    [[], 'broker or hub'],
    [['hub'], 'be broker'],
    [['broker'], 'be hub'],
    [['broker', 'broker'], 'be hub'],
  ])('%p alone need Redis', (roles, named) => {
    expect(conflicts({ roles, redis: REDIS })).toEqual([]);
    expect(conflicts({ roles })).toMatchObject([
      { path: ['roles'], expected: expect.stringContaining(named) },
    ]);
  });

  test.each([['reaper'], ['Broker'], [''], [4]])('%p is none', (role) => {
    expect(configSchema.safeParse({ roles: [role], redis: REDIS }).success).toBe(false);
  });
});
