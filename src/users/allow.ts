import type { PeopleRule } from '../config/schema.ts';
import type { User, UserId } from './model.ts';
import { matchesPeople } from './rules.ts';

/** Who may use something: everybody who is signed in, the owners of this site, or people by a rule. */
export type Allowance = 'everyone' | 'owners' | PeopleRule;

/** What rules call the subjects of a person; asked only for rules that name subjects. */
export type SubjectsOf = (id: UserId) => readonly string[];

/** Prepares the question whether somebody may. */
export function allowCheck(allow: Allowance, subjectsOf: SubjectsOf): (user: User) => boolean {
  if (allow === 'owners') return ({ role }) => role === 'owner';
  return allow === 'everyone' ? () => true : peopleCheck(allow, subjectsOf);
}

/** The ledger hands out one object per version of a person: what was found for it holds as long as it lives. */
function peopleCheck(people: PeopleRule, subjectsOf: SubjectsOf): (user: User) => boolean {
  const found = new WeakMap<User, boolean>();
  const matches = (user: User) =>
    matchesPeople(people, { email: user.email, groups: user.groups }) ||
    (people.subjects.length > 0 && subjectsOf(user.id).some((subject) => people.subjects.includes(subject)));
  return (user) => {
    const known = found.get(user);
    if (known !== undefined) return known;
    const mayUse = matches(user);
    found.set(user, mayUse);
    return mayUse;
  };
}
