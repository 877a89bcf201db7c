import { describe, expect, test } from 'bun:test';
import type { ForwardAuthRuleConfig, PeopleRule } from '../../../src/config/schema.ts';
import { compileRules, mayPassAll } from '../../../src/forward-auth/rules.ts';
import type { User, UserId } from '../../../src/users/model.ts';
import { aPerson } from '../../support/person.ts';

const rule = (path: string, allow: ForwardAuthRuleConfig['allow'] = 'everyone'): ForwardAuthRuleConfig => ({
  host: 'app.example.test',
  path,
  allow,
  allowed_origins: [],
});

const people = (some: Partial<PeopleRule>): PeopleRule => ({
  subjects: [],
  emails: [],
  domains: [],
  groups: [],
  ...some,
});

function compile(configs: readonly ForwardAuthRuleConfig[], subjectsOf: (id: UserId) => string[] = () => []) {
  return compileRules(configs, { secure: true, subjectsOf });
}

/** Paths of the rules that a path must satisfy, in any order. */
function rulesOf(rulePaths: readonly string[], path: string): string[] {
  const host = compile(rulePaths.map((each) => rule(each))).find('app.example.test');
  return (host?.rulesFor(path) ?? []).map((each) => each.path || '/').toSorted();
}

describe('hosts', () => {
  test.each(['app.example.test', 'APP.example.test', 'app.example.test:443'])('%s is found', (host) => {
    expect(compile([rule('/')]).find(host)?.host).toBe('app.example.test');
  });

  test.each([
    '',
    'example.test',
    'app.example.test:8443',
    'app.example.test.',
    'xapp.example.test',
    'app.example.test, x',
  ])('%j is not', (host) => {
    expect(compile([rule('/')]).find(host)).toBeUndefined();
  });

  test('with a port are told apart by it', () => {
    const rules = compile([rule('/'), { ...rule('/'), host: 'app.example.test:8443' }]);
    expect(rules.find('app.example.test:8443')?.host).toBe('app.example.test:8443');
    expect(rules.hosts.length).toBe(2);
  });
});

describe('paths', () => {
  test('the longest prefix wins, wherever it stands', () => {
    expect(rulesOf(['/', '/admin', '/admin/users'], '/admin/users/1')).toEqual(['/admin/users']);
    expect(rulesOf(['/admin/users', '/', '/admin'], '/admin/x')).toEqual(['/admin']);
    expect(rulesOf(['/admin', '/'], '/x')).toEqual(['/']);
  });

  test.each(['/administration', '/admin-x', '/admin.html', '/admi'])('%s is not under /admin', (path) => {
    expect(rulesOf(['/', '/admin'], path)).toEqual(['/']);
    expect(rulesOf(['/admin'], path)).toEqual([]);
  });

  test.each(['/admin', '/admin/', '/admin/x'])('%s is under /admin', (path) => {
    expect(rulesOf(['/', '/admin'], path)).toEqual(['/admin']);
  });

  test('a path under no rule has none', () => {
    expect(rulesOf(['/admin'], '/')).toEqual([]);
  });

  test('a path that another letter case would put under another rule is held to both', () => {
    expect(rulesOf(['/', '/admin'], '/Admin/x')).toEqual(['/', '/admin']);
    expect(rulesOf(['/', '/Admin'], '/admin/x')).toEqual(['/', '/Admin']);
    expect(rulesOf(['/', '/admin', '/Admin'], '/admin')).toEqual(['/Admin', '/admin']);
  });

  test('a path that is under a rule in another letter case alone is under none', () => {
    expect(rulesOf(['/admin'], '/ADMIN')).toEqual([]);
  });

  test('a path that is under another rule without its parameters is held to both', () => {
    expect(rulesOf(['/', '/admin'], '/admin;x=1')).toEqual(['/', '/admin']);
    expect(rulesOf(['/', '/admin'], '/admin%3Bx/y')).toEqual(['/', '/admin']);
    expect(rulesOf(['/', '/admin/users'], '/admin;x/users')).toEqual(['/', '/admin/users']);
  });

  test('a rule beyond ASCII is met by its escaped form', () => {
    expect(rulesOf(['/', '/küche'], '/k%C3%BCche/x')).toEqual(['/küche'].map(encodeURI));
    expect(rulesOf(['/', '/küche'], '/K%C3%9CCHE/x')).toEqual(['/', encodeURI('/küche')]);
  });
});

describe('who may pass', () => {
  const passes = (allow: ForwardAuthRuleConfig['allow'], user: User, subjects: string[] = []) => {
    const host = compile([rule('/', allow)], () => subjects).find('app.example.test');
    return mayPassAll(host?.rulesFor('/') ?? [], user);
  };
  const ada = aPerson({ email: 'ada@example.test', groups: ['staff'] });

  test('everyone who is signed in', () => {
    expect(passes('everyone', aPerson())).toBe(true);
  });

  test('owners alone, whoever they sign in with', () => {
    expect(passes('owners', aPerson({ role: 'owner' }))).toBe(true);
    expect(passes('owners', ada)).toBe(false);
  });

  test('people by group, address, domain and subject', () => {
    expect(passes(people({ groups: ['staff'] }), ada)).toBe(true);
    expect(passes(people({ emails: ['ada@example.test'] }), ada)).toBe(true);
    expect(passes(people({ domains: ['example.test'] }), ada)).toBe(true);
    expect(passes(people({ subjects: ['s-1'] }), ada, ['s-0', 's-1'])).toBe(true);
  });

  test('nobody else', () => {
    expect(passes(people({ groups: ['admins'] }), ada)).toBe(false);
    expect(passes(people({ emails: ['ada@example.test'] }), aPerson())).toBe(false);
    expect(passes(people({ domains: ['test'] }), ada)).toBe(false);
    expect(passes(people({ subjects: ['s-1'] }), ada, ['s-2'])).toBe(false);
    expect(passes(people({}), ada)).toBe(false);
  });

  test('a person whose groups changed is judged anew', () => {
    const host = compile([rule('/', people({ groups: ['staff'] }))]).find('app.example.test');
    const rules = host?.rulesFor('/') ?? [];
    expect(mayPassAll(rules, ada)).toBe(true);
    expect(mayPassAll(rules, { ...ada, groups: [] })).toBe(false);
  });

  test('only who satisfies every rule that a path is held to', () => {
    const host = compile([rule('/'), rule('/admin', people({ groups: ['admins'] }))]).find(
      'app.example.test',
    );
    expect(mayPassAll(host?.rulesFor('/ADMIN') ?? [], ada)).toBe(false);
    expect(mayPassAll(host?.rulesFor('/x') ?? [], ada)).toBe(true);
  });

  test('nobody where there is no rule', () => {
    expect(mayPassAll([], ada)).toBe(false);
  });
});
