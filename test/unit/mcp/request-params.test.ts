import { describe, expect, test } from 'bun:test';
import { legacyParams, modernParams } from '../../../src/mcp/request-params.ts';
import { exchangeOf } from '../../support/mcp-broker.ts';

const P = 'io.modelcontextprotocol/';
const ENVELOPE = {
  [`${P}protocolVersion`]: '2026-07-28',
  [`${P}clientInfo`]: { name: 'evil' },
  [`${P}logLevel`]: 'debug',
};

describe('params of a call to a legacy server', () => {
  test.each([
    ['nothing', 'legacy', undefined, undefined],
    [
      'what a legacy client sent',
      'legacy',
      { name: 'a', _meta: { own: 1 } },
      { name: 'a', _meta: { own: 1 } },
    ],
    [
      'a progress token of ours',
      'legacy',
      { _meta: { progressToken: 'x' } },
      { _meta: { progressToken: 9 } },
    ],
    [
      'none of the envelope',
      'modern',
      { name: 'a', _meta: { ...ENVELOPE, own: 1 } },
      { name: 'a', _meta: { own: 1 } },
    ],
    ['no empty _meta', 'modern', { name: 'a', _meta: ENVELOPE }, { name: 'a' }],
    [
      'nothing of a retry',
      'modern',
      { name: 'a', requestState: 's', inputResponses: {}, _meta: ENVELOPE },
      { name: 'a' },
    ],
    ['a parameter of that name', 'legacy', { requestState: 's' }, { requestState: 's' }],
    ['a _meta that is none', 'legacy', { _meta: 7 }, { _meta: 7 }],
  ] as const)('are %s', (_what, era, params, expected) => {
    expect(legacyParams(exchangeOf('m', params, { era }), 9)).toEqual(expected);
  });
});

describe('params of a call to a modern server', () => {
  test('say who asks, and nothing that a client made up about it', () => {
    const exchange = exchangeOf(
      'm',
      {
        name: 'a',
        requestState: 's',
        inputResponses: { x: {} },
        _meta: { ...ENVELOPE, progressToken: 'x', own: 1 },
      },
      { era: 'modern', capabilities: { roots: {} } },
    );
    expect(modernParams(exchange, '2026-07-28', 9)).toEqual({
      name: 'a',
      _meta: {
        own: 1,
        progressToken: 9,
        [`${P}protocolVersion`]: '2026-07-28',
        [`${P}clientInfo`]: { name: 'test', version: '1' },
        [`${P}clientCapabilities`]: { roots: {} },
      },
    });
  });

  test('name the level that the client wants', () => {
    const params = modernParams(exchangeOf('m', undefined, { logLevel: 'error' }), '2026-07-28', 1);
    expect(params['_meta']).toMatchObject({ [`${P}logLevel`]: 'error' });
  });
});
