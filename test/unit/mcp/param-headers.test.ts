import { describe, expect, test } from 'bun:test';
import { headerValue, paramHeaders } from '../../../src/mcp/param-headers.ts';

const tools = (...list: unknown[]) => ({ id: 1, result: { tools: list } });
const tool = (properties: object) => ({ name: 'find', inputSchema: { type: 'object', properties } });

describe('parameters that a server wants repeated in headers', () => {
  test('are, as deep as they lie, in the form of their kind', () => {
    const headers = paramHeaders();
    headers.learn(
      tools(
        tool({
          region: { type: 'string', 'x-mcp-header': 'Region' },
          page: { properties: { size: { type: 'integer', 'x-mcp-header': 'Page-Size' } } },
          exact: { type: 'boolean', 'x-mcp-header': 'Exact' },
          plain: { type: 'string' },
        }),
      ),
    );
    const given = { region: 'köln', page: { size: 10 }, exact: false, plain: 'x' };
    expect(headers.of({ name: 'find', arguments: given })).toEqual({
      'mcp-param-Region': `=?base64?${btoa(String.fromCodePoint(...new TextEncoder().encode('köln')))}?=`,
      'mcp-param-Page-Size': '10',
      'mcp-param-Exact': 'false',
    });
  });

  test.each([
    ['absent', {}],
    ['null', { region: null }],
    ['an object', { region: {} }],
    ['not finite', { region: Number.NaN }],
    ['too large', { region: 2 ** 60 }],
  ])('are left out when the value is %s', (_what, given) => {
    const headers = paramHeaders();
    headers.learn(tools(tool({ region: { 'x-mcp-header': 'Region' } })));
    expect(headers.of({ name: 'find', arguments: given })).toEqual({});
  });

  test.each([
    ['no list', { id: 1, result: {} }],
    ['no tools', tools(7, null, { name: 3 })],
    ['a name that no header can have', tools(tool({ a: { 'x-mcp-header': 'a\r\nb' } }))],
    ['a name that is no text', tools(tool({ a: { 'x-mcp-header': 3 } }))],
  ])('are none where there is %s', (_what, answer) => {
    const headers = paramHeaders();
    headers.learn(answer);
    expect(headers.of({ name: 'find', arguments: { a: 'x' } })).toEqual({});
  });
});

test.each([
  ['plain', 'plain'],
  ['two words', 'two words'],
  ['', '=?base64??='],
  [' padded', '=?base64?IHBhZGRlZA==?='],
  ['line\nbreak', '=?base64?bGluZQpicmVhaw==?='],
  ['=?base64?x?=', '=?base64?PT9iYXNlNjQ/eD89?='],
])('%p is written as %p', (text, header) => {
  expect(headerValue(text)).toBe(header);
});
