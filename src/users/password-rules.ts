import { AppError } from '../lib/app-error.ts';
import { COMMON_PASSWORD_PARTS } from './common-passwords.ts';
import { foldName } from './model.ts';

/** Fewest characters of a password that is the only factor (NIST SP 800-63B-4 section 3.1.1.2). */
export const PASSWORD_MIN_LENGTH = 15;
/** Most characters; the same section asks for at least 64. */
export const PASSWORD_MAX_LENGTH = 512;

/** A password that repeats within this many characters is as good as its first part. */
const SHORTEST_PERIOD = 10;
const LEAST_DISTINCT = 5;
/** Characters that must remain once separators and everything guessable are taken out. */
const LEAST_REMAINDER = 6;
/** Shorter words of the context stand in too many honest passwords. */
const CONTEXT_WORD_LENGTH = 3;
/** Neighbours in one of these, either way, are a sequence when so many of them follow one another. */
const SEQUENCE_LENGTH = 3;
const SEQUENCES = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  'qwertyuiop',
  'qwertzuiop',
  'asdfghjkl',
  'zxcvbnm',
  'yxcvbnm',
];
const STEPS = new Set(
  SEQUENCES.flatMap((row) => Array.from(row, (_, index) => row.slice(index, index + 2)).slice(0, -1)),
);

/** White space and the signs of ASCII, which people put between words. */
const SEPARATORS = /[\s!-/:-@[-`{-~]/g;

/** Digits and signs that stand for letters. */
const LOOKALIKES: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'l',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};

/** What somebody who guesses knows: the site and the person. */
export interface PasswordContext {
  /** The host of `url`. */
  host: string;
  username?: string | undefined;
  displayName?: string | undefined;
  email?: string | undefined;
}

/** The form in which passwords are counted, hashed and compared (NFC, as NIST SP 800-63B-4 section 3.1.1.2 advises). */
export function normalizePassword(password: string): string {
  return password.normalize('NFC');
}

/**
 * Holds that a password may be set: long enough, and none of those guessed first. There are no rules of composition.
 * @throws AppError `unprocessable` (`bad_password`), with a message that says what to do.
 */
export function requireGoodPassword(password: string, context: PasswordContext): void {
  const problem = passwordProblem(normalizePassword(password), context);
  if (problem !== undefined) throw new AppError('unprocessable', 'bad_password', problem);
}

function passwordProblem(password: string, context: PasswordContext): string | undefined {
  const { length } = Array.from(password);
  if (length < PASSWORD_MIN_LENGTH) {
    return `The password needs at least ${PASSWORD_MIN_LENGTH} characters. A few words that have nothing to do with each other are easy to remember.`;
  }
  if (length > PASSWORD_MAX_LENGTH) return `The password may have at most ${PASSWORD_MAX_LENGTH} characters.`;
  if (/\p{Cc}/u.test(password) || !password.isWellFormed()) {
    return 'The password holds a character that cannot be typed everywhere, such as a tab.';
  }
  const folded = foldName(password);
  if (isRepetitive(folded))
    return 'The password repeats itself, so that it is guessed early. Use several different words.';
  if (remainder(folded, COMMON_PASSWORD_PARTS) < LEAST_REMAINDER) {
    return 'The password is made of what is guessed first: common words, sequences, years. Use several unrelated words.';
  }
  if (remainder(folded, [...contextWords(context), ...COMMON_PASSWORD_PARTS]) < LEAST_REMAINDER) {
    return 'The password is little more than your name or the name of this site, which are guessed first. Use several unrelated words.';
  }
  return undefined;
}

function isRepetitive(text: string): boolean {
  return new Set(text).size < LEAST_DISTINCT || period(text) < SHORTEST_PERIOD;
}

/** The shortest length after which the text begins again; its own length when it never does. */
function period(text: string): number {
  for (let length = 1; length <= text.length / 2; length++) {
    if (text.startsWith(text.slice(length))) return length;
  }
  return text.length;
}

/** How many characters are left without separators, words, sequences and years, read plainly or with look-alikes as letters. */
function remainder(text: string, words: readonly string[]): number {
  const plain = text.replaceAll(/[@$!013457]/g, (sign) => LOOKALIKES[sign] ?? sign);
  return Math.min(...[text, plain].map((each) => leftOf(each, words)));
}

function leftOf(text: string, words: readonly string[]): number {
  let rest = text.replaceAll(SEPARATORS, '');
  for (const word of words) rest = rest.replaceAll(word, ' ');
  rest = rest.replaceAll(/(?:19|20)\d\d/g, ' ').replaceAll(/(.)\1{2,}/gu, ' ');
  return Array.from(withoutSequences(rest).replaceAll(' ', '')).length;
}

function withoutSequences(text: string): string {
  let kept = '';
  for (let start = 0; start < text.length; ) {
    const end = sequenceEnd(text, start);
    const isSequence = end - start >= SEQUENCE_LENGTH;
    kept += isSequence ? ' ' : (text[start] ?? '');
    start = isSequence ? end : start + 1;
  }
  return kept;
}

function sequenceEnd(text: string, start: number): number {
  const runs = [true, false].map((forward) => {
    let end = start + 1;
    while (end < text.length && isStep(text[end - 1] ?? '', text[end] ?? '', forward)) end++;
    return end;
  });
  return Math.max(...runs);
}

function isStep(from: string, to: string, forward: boolean): boolean {
  return STEPS.has(forward ? from + to : to + from);
}

/** Words of the context, the longest first, so that a name is taken out before a part of it. */
function contextWords({ host, username, displayName, email }: PasswordContext): string[] {
  const texts = ['postern', host, username, displayName, email];
  const words = texts.flatMap((text) => {
    const folded = foldName(text ?? '');
    return [folded.replaceAll(/[^\p{L}\p{N}]/gu, ''), ...folded.split(/[^\p{L}\p{N}]+/u)];
  });
  return [...new Set(words)]
    .filter((word) => word.length >= CONTEXT_WORD_LENGTH)
    .sort((a, b) => b.length - a.length);
}
