import type { PeopleRule } from '../config/schema.ts';
import { parseEmail } from './name.ts';

/** What a rule looks at. */
export interface RuleSubject {
  /** `sub` at the provider; absent for people without one. */
  subject?: string | undefined;
  /** Only ever an address that the provider calls verified. */
  email?: string | undefined;
  groups: readonly string[];
}

/**
 * Whether a rule means this person; any one of its lists is enough, and an empty rule means nobody.
 * Addresses are compared without regard to the case of ASCII letters alone: a wider folding would let one mailbox stand
 * for another.
 */
export function matchesPeople(
  rule: 'everyone' | PeopleRule,
  { subject, email, groups }: RuleSubject,
): boolean {
  if (rule === 'everyone') return true;
  if (subject !== undefined && rule.subjects.includes(subject)) return true;
  if (groups.some((group) => rule.groups.includes(group))) return true;
  return matchesEmail(rule, email);
}

function matchesEmail(rule: PeopleRule, email: string | undefined): boolean {
  const address = parseEmail(email);
  if (address === undefined) return false;
  const whole = lowerAscii(`${address.local}@${address.domain}`);
  const domain = lowerAscii(address.domain);
  return (
    rule.emails.some((each) => lowerAscii(each) === whole) ||
    rule.domains.some((each) => lowerAscii(each).replace(/^@/, '') === domain)
  );
}

function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}
