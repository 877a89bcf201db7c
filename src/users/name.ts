import { foldName } from './model.ts';

/** Longest username, in characters: a header and every protected app must take it. */
export const USERNAME_MAX_LENGTH = 64;
/** Longest display name, in code points. */
const DISPLAY_NAME_MAX_LENGTH = 128;
/** Longest address in SMTP (RFC 5321 section 4.5.3.1.3, less the angle brackets). */
const EMAIL_MAX_LENGTH = 254;
/** Longest group name, in characters. */
const GROUP_MAX_LENGTH = 128;
/** Groups kept of one person. */
const MAX_GROUPS = 256;

/** A username goes into `Remote-User`, where apps compare bytes: plain ASCII, no character that means something. */
const USERNAME = /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/i;

/** Names that stand for the administrator in many an app; only an owner may be called so. */
const PRIVILEGED_NAMES = new Set([
  'admin',
  'administrator',
  'daemon',
  'nobody',
  'operator',
  'owner',
  'postern',
  'postmaster',
  'root',
  'superuser',
  'sysadmin',
  'system',
  'webmaster',
]);

/** Letters that Unicode does not take apart into a plain letter and a mark. */
const PLAIN_LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
};

/** Controls, line separators and what turns the direction of text around: none of it belongs into a name. */
const INVISIBLE =
  /[\p{Cc}\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu;

export function isUsername(text: string): boolean {
  return text.length <= USERNAME_MAX_LENGTH && USERNAME.test(text);
}

/** Whether an app behind us may take this name for its administrator's. */
export function isPrivilegedName(username: string): boolean {
  return PRIVILEGED_NAMES.has(foldName(username));
}

/** A username made of the first text that leaves one; `user` when none does. An address counts up to its `@`. */
export function usernameFrom(
  candidates: readonly (string | undefined)[],
  maxLength = USERNAME_MAX_LENGTH,
): string {
  for (const candidate of candidates) {
    const name = toUsername(candidate ?? '', maxLength);
    if (name !== '') return name;
  }
  return 'user';
}

function toUsername(text: string, maxLength: number): string {
  const [local = ''] = text.slice(0, EMAIL_MAX_LENGTH).split('@');
  return foldName(local)
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[ßæœøłđðþı]/g, (letter) => PLAIN_LETTERS[letter] ?? '')
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, maxLength)
    .replace(/[._-]+$/, '');
}

/** A name for people to read: one line, nothing invisible, bounded; `undefined` when nothing is left. */
export function cleanDisplayName(text: string | undefined): string | undefined {
  const plain = (text ?? '')
    .slice(0, DISPLAY_NAME_MAX_LENGTH * 4)
    .toWellFormed()
    .replaceAll(/[\t\r\n]/g, ' ')
    .replaceAll(INVISIBLE, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  const cut = Array.from(plain).slice(0, DISPLAY_NAME_MAX_LENGTH).join('').trim();
  return cut === '' ? undefined : cut;
}

/** The groups that are kept. Repairing a name could make it that of another group, so odd ones are left out as a whole. */
export function cleanGroups(groups: readonly string[]): string[] {
  const usable = groups.filter((group) => group.length <= GROUP_MAX_LENGTH && isPlainGroup(group));
  return [...new Set(usable)].slice(0, MAX_GROUPS);
}

function isPlainGroup(group: string): boolean {
  return group !== '' && group === group.trim() && group.isWellFormed() && group.search(INVISIBLE) === -1;
}

/** The parts of an address with exactly one `@`, no white space and nothing invisible; `undefined` for anything else. */
export function parseEmail(text: string | undefined): { local: string; domain: string } | undefined {
  if (text === undefined || text.length > EMAIL_MAX_LENGTH || !text.isWellFormed()) return undefined;
  if (/[\s,;<>"\\]/.test(text) || text.search(INVISIBLE) !== -1) return undefined;
  const [local = '', domain = '', ...more] = text.split('@');
  if (local === '' || domain === '' || more.length > 0) return undefined;
  return { local, domain };
}
