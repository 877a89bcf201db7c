import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { handleFor, handlePrefix, labelOf, MAX_HANDLE_LENGTH } from '../../../src/devices/handle.ts';

const HANDLE = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

test.each([
  ['Kitchen Pi', 'kitchen-pi'],
  ['  Küche  –  Fenster! ', 'kuche-fenster'],
  ['xn--bcher-kva', 'xn-bcher-kva'],
  ['--', 'device'],
  ['厨房', 'device'],
  ['ﬁlter①', 'filter1'],
  ['İstanbul', 'istanbul'],
  ['dev_aaaa', 'dev-aaaa'],
  [`${'a'.repeat(29)} b`, 'a'.repeat(29)],
])('"%s" is called %s', (name, handle) => expect(labelOf(name)).toBe(handle));

test('the first free one is taken', () => {
  const taken = new Set(['pi', 'pi-2', 'pi-4']);
  expect(handleFor('Pi', (handle) => taken.has(handle))).toBe('pi-3');
});

test('whatever the name, the handle is a DNS label without "--", short enough, free, and found by its beginning', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.integer({ min: 0, max: 300 }),
      (name, others) => {
        const taken = new Set<string>();
        for (let other = 0; other < others; other++)
          taken.add(handleFor(name, (handle) => taken.has(handle)));
        const handle = handleFor(name, (each) => taken.has(each));
        expect(handle).toMatch(HANDLE);
        expect(handle.length).toBeLessThanOrEqual(MAX_HANDLE_LENGTH);
        expect(taken.has(handle)).toBe(false);
        expect(handle.startsWith(handlePrefix(name))).toBe(true);
      },
    ),
    { numRuns: 200 },
  );
});
