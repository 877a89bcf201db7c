import { expect, test } from 'bun:test';
import { ruleSubjects } from '../../../src/forward-auth/subjects.ts';

const ADA = [
  { provider: 'home', subject: '1' },
  { provider: 'work', subject: 'ada' },
];

test('a subject stands for itself where there is one provider', () => {
  expect(ruleSubjects(ADA, ['home'])).toEqual(['1']);
});

test('nobody is the namesake of another provider', () => {
  expect(ruleSubjects(ADA, ['home', 'work'])).toEqual(['home:1', 'work:ada']);
});

test('an identity of a provider that is gone counts nowhere', () => {
  expect(ruleSubjects(ADA, ['other'])).toEqual([]);
  expect(ruleSubjects(ADA, [])).toEqual([]);
});
