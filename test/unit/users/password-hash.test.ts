import { expect, test } from 'bun:test';
import { ARGON2ID, NOBODYS_HASH, passwordHasher } from '../../../src/users/password-hash.ts';
import { refusalOf } from '../../support/refusal.ts';

test('a hash fits its password in every composition, and no other', async () => {
  const hasher = passwordHasher();
  const hash = await hasher.hash('caf\u00e9 velvet harbour quince');
  expect(hash).toStartWith(`$argon2id$v=19$m=${ARGON2ID.memoryCost},t=${ARGON2ID.timeCost},p=1$`);
  expect(await hasher.verify('cafe\u0301 velvet harbour quince', hash, 'stranger')).toBe(true);
  expect(await hasher.verify('cafe velvet harbour quince', hash, 'stranger')).toBe(false);
  expect(await hasher.verify('', hash, 'known')).toBe(false);
});

test('nobody’s hash costs what every other costs, and fits nothing', async () => {
  expect(NOBODYS_HASH).toStartWith(`$argon2id$v=19$m=${ARGON2ID.memoryCost},t=${ARGON2ID.timeCost},p=1$`);
  expect(await passwordHasher().verify('anything', undefined, 'stranger')).toBe(false);
});

test('strangers beyond the queue are sent away, and known browsers go first', async () => {
  const hasher = passwordHasher({ parallel: 1, maxWaiting: 2 });
  const order: string[] = [];
  const verify = (name: string, lane: 'known' | 'stranger') =>
    hasher.verify('x', undefined, lane).then(() => order.push(name));
  const waiting = [verify('first', 'stranger'), verify('second', 'stranger'), verify('third', 'stranger')];
  const sentAway = refusalOf(verify('fourth', 'stranger'));
  waiting.push(verify('known', 'known'));
  expect(await sentAway).toMatchObject({ kind: 'unavailable', code: 'too_busy' });
  await Promise.all(waiting);
  expect(order).toEqual(['first', 'known', 'second', 'third']);
});
