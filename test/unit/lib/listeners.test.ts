import { expect, test } from 'bun:test';
import { listeners } from '../../../src/lib/listeners.ts';

test('everybody hears, whoever fails; who left does not; one may listen twice', () => {
  const errors: unknown[] = [];
  const all = listeners<number>((error) => errors.push(error));
  const heard: string[] = [];
  const listen = (event: number) => void heard.push(`one ${event}`);
  const first = all.add(listen);
  all.add(() => {
    throw new Error('it fails');
  });
  const again = all.add(listen);
  all.add((event) => void heard.push(`last ${event}`));
  all.tell(1);
  expect(heard).toEqual(['one 1', 'one 1', 'last 1']);
  again[Symbol.dispose]();
  all.tell(2);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  all.tell(3);
  expect(heard.slice(3)).toEqual(['one 2', 'last 2', 'last 3']);
  expect(errors.map(String)).toEqual(['Error: it fails', 'Error: it fails', 'Error: it fails']);
});
