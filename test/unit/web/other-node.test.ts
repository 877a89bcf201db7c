import { expect, test } from 'bun:test';
import { toldElsewhere } from '../../../src/web/other-node.ts';

test.each([
  ['one', 'only the node <strong class="any">one</strong> can tell'],
  ['', 'only another node can tell'],
  [undefined, 'no node can tell now'],
])('what only the node %p could tell', (name, said) => {
  expect(toldElsewhere({ holder: () => name }).markup).toBe(said);
});
