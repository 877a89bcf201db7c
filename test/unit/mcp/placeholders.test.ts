import { expect, test } from 'bun:test';
import { fillPlaceholders, type PlaceholderValues } from '../../../src/mcp/placeholders.ts';
import type { UserId } from '../../../src/users/model.ts';
import { aPerson } from '../../support/person.ts';

const ADA = aPerson({ id: 'usr_ada' as UserId, displayName: 'Ada\nLovelace' });
const values = (given: Partial<PlaceholderValues> = {}): PlaceholderValues => ({
  user: ADA,
  accessToken: 'token-1',
  secret: (name) => (name === 'PAT' ? 'pat-1' : undefined),
  ...given,
});

test('every placeholder is replaced, and what nobody may see is named', () => {
  const table = {
    TOKEN: 'Bearer ${upstream.access_token}',
    PAT: '${secret.PAT}',
    WHO: '${user.id} ${user.username} ${user.name}<${user.email}>',
    PLAIN: '$HOME $(id) `id`',
  };
  expect(fillPlaceholders(table, values())).toEqual({
    values: {
      TOKEN: 'Bearer token-1',
      PAT: 'pat-1',
      WHO: 'usr_ada ada Ada Lovelace<>',
      PLAIN: '$HOME $(id) `id`',
    },
    secrets: ['token-1', 'pat-1'],
    missing: [],
  });
});

test('a value that looks like a placeholder or a pattern is not replaced again', () => {
  const { values: filled } = fillPlaceholders(
    { A: '${upstream.access_token}' },
    values({ accessToken: '${secret.PAT} $& $1' }),
  );
  expect(filled).toEqual({ A: '${secret.PAT} $& $1' });
});

test.each([
  ['no token', '${upstream.access_token}', values({ accessToken: undefined })],
  ['a token with a line break', '${upstream.access_token}', values({ accessToken: 'a\nB: c' })],
  ['a token with a NUL', '${upstream.access_token}', values({ accessToken: 'a\0b' })],
  ['a secret that was not entered', '${secret.OTHER}', values()],
])('missing: %s', (_what, template, given) => {
  expect(fillPlaceholders({ A: `x${template}` }, given).missing).toEqual([template]);
});
