import { describe, expect, test } from 'bun:test';
import { AppError } from '../../../src/lib/app-error.ts';
import { requireGoodPassword } from '../../../src/users/password-rules.ts';

const ALICE = {
  host: 'auth.wonder.example',
  username: 'alice',
  displayName: 'Alice Liddell',
  email: 'rabbit@wonder.example',
};

function problem(password: string): string | undefined {
  try {
    requireGoodPassword(password, ALICE);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
}

test.each([
  'glacier otter fiddle brick',
  'my dog ate the blue homework',
  'xK9#mQ2$vL8@pR5',
  'über 15 zeichen lang, ja',
  '蛇口を閉めて窓を開ける前に歩く',
  '🦊🐙🦀🐌🦋🐞🦗🕷🦂🐢🐍🦎🦖🦕🐡',
  'x'.repeat(3).concat(' quartz noodle vivid lantern'.repeat(18)),
])('%s is good, whatever it is made of', (password) => {
  expect(problem(password)).toBeUndefined();
});

describe('length', () => {
  test('counts code points after composition', () => {
    // Fifteen letters, each written as two code points.
    expect(
      problem(
        'e\u0301o\u0301a\u0301i\u0301u\u0301n\u0303c\u0327z\u030cs\u030cr\u030ce\u030co\u0308u\u0308a\u0308i\u0308',
      ),
    ).toBeUndefined();
    expect(problem('🦊🐙🦀🐌🦋🐞🦗🕷🦂🐢🐍🦎🦖🦕')).toContain('at least 15');
  });

  test('has a bound that passphrases do not meet', () => {
    const long = Array.from({ length: 150 }, (_, index) => `w${(index * 7919).toString(36)}`).join(' ');
    expect(problem(long.slice(0, 512))).toBeUndefined();
    expect(problem(long.slice(0, 513))).toContain('at most 512');
  });
});

test.each([
  ['passwordpassword', 'repeats'],
  ['aaaaaaaaaaaaaaaaaaaa', 'repeats'],
  ['alicealicealicealice', 'repeats'],
  ['               ', 'repeats'],
  ['12121212121212121', 'repeats'],
  ['password12345678', 'guessed first'],
  ['P@ssw0rd2024!!!!', 'guessed first'],
  ['Passw0rd Passw0rd1', 'guessed first'],
  ['abcdefghijklmnop', 'guessed first'],
  ['ponmlkjihgfedcba', 'guessed first'],
  ['qwertyuiopasdfghjkl', 'guessed first'],
  ['1q2w3e4r5t6y7u8i', 'guessed first'],
  ['correct horse battery staple', 'guessed first'],
  ['Correct-Horse-Battery-Staple!', 'guessed first'],
  ['alice-liddell-alice', 'your name'],
  ['Postern-Alice-2026', 'your name'],
  ['auth.wonder.example', 'your name'],
  ['rabbit@wonder.example', 'your name'],
  ['a tab\tsomewhere in the middle', 'cannot be typed'],
])('%j is refused: %s', (password, why) => {
  expect(problem(password)).toContain(why);
});

test('a message never holds the password', () => {
  for (const password of ['short one', 'alice-liddell-alice', 'password12345678']) {
    expect(problem(password)).not.toContain(password);
  }
});
