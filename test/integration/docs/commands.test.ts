import { expect, test } from 'bun:test';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { blocks, page, pages } from '../../support/documentation.ts';

const REFERENCE = page('docs/commands.md');
const NAMES = COMMANDS.map(({ name }) => name);
/** Words that stand before another: `user list`. */
const WORDS = [...new Set(NAMES.flatMap((name) => (name.includes(' ') ? name.split(' ').slice(0, 1) : [])))];
const GROUP = `(?:(?:${WORDS.join('|')}) )?`;

test('docs/commands.md describes every command', () => {
  const described = [...REFERENCE.text.matchAll(new RegExp(`\`(?:postern )?(${GROUP}[a-z-]+)`, 'g'))];
  const missing = NAMES.filter((name) => !described.some(([, found]) => found === name));
  expect(missing).toEqual([]);
});

test('every command that a page tells its reader to run is there', () => {
  const told = pages().flatMap((each) => {
    const shell = blocks(each, 'sh').map(({ content }) => content);
    const inline = [...each.text.matchAll(/`postern ([^`]+)`/g)].map(([whole]) => whole);
    return [...shell, ...inline].flatMap((text) =>
      // The user, or the container, is called postern too.
      [
        ...text
          .replaceAll('postern postern', 'postern')
          .matchAll(new RegExp(String.raw`\bpostern (${GROUP}[a-z][a-z-]*)\b(?!\.)`, 'g')),
      ].map(([, name = '']) => name),
    );
  });
  expect(told.length).toBeGreaterThan(20);
  expect([...new Set(told)].filter((name) => !NAMES.includes(name) && !WORDS.includes(name))).toEqual([]);
});
