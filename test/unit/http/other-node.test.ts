import { describe, expect, test } from 'bun:test';
import { roleGuard } from '../../../src/db/role-guard.ts';
import { onlySeat } from '../../../src/db/seats.ts';
import { onlyWith, routesOnlyWith } from '../../../src/http/other-node.ts';
import { elsewhere } from '../../support/roles.ts';

const PEER = { address: '127.0.0.1', trusted: false };
const CONNECTION = { timeout: () => undefined, upgrade: () => false };
const REQUEST = new Request('http://localhost/mcp/x');
const answer = () => new Response('here');

describe('what belongs to a role', () => {
  test('passes as it is where the role is done', () => {
    const role = roleGuard('broker', onlySeat({ node: 'pi-1' }));
    const routes = { '/mcp/x': answer };
    expect([role.isHere, role.holder()]).toEqual([true, 'pi-1']);
    expect([routesOnlyWith(role, routes), onlyWith(role, answer)]).toEqual([routes, answer]);
    role.require();
  });

  test.each([
    ['pi-2', { kind: 'misdirected', code: 'other_node', members: { role: 'hub', node: 'pi-2' } }],
    ['', { kind: 'misdirected', code: 'other_node', members: { role: 'hub' } }],
    [undefined, { kind: 'unavailable', code: 'role_vacant', retryAfterSeconds: 5, members: { role: 'hub' } }],
  ])('is refused elsewhere, while the holder is %p', (holder, refusal) => {
    const role = elsewhere('hub', holder);
    const { '/mcp/x': route = answer } = routesOnlyWith(role, { '/mcp/x': answer });
    for (const refused of [
      () => role.require(),
      () => route(REQUEST, PEER, CONNECTION),
      () => onlyWith(role, answer)(REQUEST, PEER, CONNECTION),
    ])
      expect(refused).toThrow(expect.objectContaining(refusal));
    expect(role.isHere).toBe(false);
  });
});
