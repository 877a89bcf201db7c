import { expect, test } from 'bun:test';
import { environmentFaults } from '../../../src/config/faults-mcp.ts';
import { secretName } from '../../../src/upstream/dto.ts';

/** What the configuration may ask people for has to be what they can give. */
test.each([
  ['PAT', true],
  ['_hidden', true],
  ['a1', true],
  ['A'.repeat(64), true],
  ['A'.repeat(65), false],
  ['1a', false],
  ['with-hyphen', false],
  ['', false],
  ['a.b', false],
])('%p is the name of a secret for both or for neither', (name, isName) => {
  expect(environmentFaults({ TOKEN: `\${secret.${name}}` }).size === 0).toBe(isName);
  expect(secretName.safeParse(name).success).toBe(isName);
});
