import { expect, test } from 'bun:test';
import { requireTool } from '../../../src/mcp/tool-filter.ts';

const call = (filter: Parameters<typeof requireTool>[0], name: unknown) => () =>
  requireTool(filter, 'tools/call', { name });

test.each([
  ['a list', ['delete']],
  ['an object', { toString: 'delete' }],
  ['nothing', undefined],
])('a name that is %s gets past no list', (_what, name) => {
  expect(call({ allow: undefined, deny: ['delete'] }, name)).toThrow('There is no such tool here.');
  expect(call({ allow: ['read'], deny: [] }, name)).toThrow('There is no such tool here.');
});

test('without lists the name is the server’s business', () => {
  expect(call({ allow: undefined, deny: [] }, ['delete'])).not.toThrow();
});
