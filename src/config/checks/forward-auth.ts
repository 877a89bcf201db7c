import { isLoopbackName } from '../../lib/loopback.ts';
import { parseHost } from '../hosts.ts';
import type { Check } from './conflict.ts';

/** Without them anybody could say which host and path is asked for. */
export const rulesNeedProxies: Check = function* ({ trusted_proxies, forward_auth }) {
  if (forward_auth.rule.length === 0 || trusted_proxies.length > 0) return;
  yield {
    path: ['trusted_proxies'],
    others: [],
    expected: 'the ranges of the proxies in front, because there are forward_auth rules',
  };
};

/** The appliance signs people in there; a rule would send them in circles. */
export const rulesSpareOurHost: Check = function* ({ url, forward_auth }) {
  const ours = new URL(url).host;
  for (const [index, { host }] of forward_auth.rule.entries()) {
    if (host !== ours) continue;
    const path = ['forward_auth', 'rule', index, 'host'];
    yield { path, others: [['url']], expected: 'a host other than that of url' };
  }
};

/** Protected hosts have the scheme of `url`; over plain http their cookies would be anybody's to read. */
export const plainHttpRulesStayHere: Check = function* ({ url, forward_auth }) {
  if (url.startsWith('https:')) return;
  for (const [index, { host }] of forward_auth.rule.entries()) {
    if (isLoopbackName(parseHost(host)?.hostname ?? '')) continue;
    const path = ['forward_auth', 'rule', index, 'host'];
    yield { path, others: [['url']], expected: 'a host on loopback like app.localhost, because url is http' };
  }
};

/** Browsers leave the port of the scheme out, so a rule with it would never match. */
export const rulesOmitDefaultPort: Check = function* ({ url, forward_auth }) {
  const suffix = url.startsWith('https:') ? ':443' : ':80';
  for (const [index, { host }] of forward_auth.rule.entries()) {
    if (!host.endsWith(suffix)) continue;
    const path = ['forward_auth', 'rule', index, 'host'];
    yield { path, others: [['url']], expected: `the host without ${suffix}, which is the scheme’s own port` };
  }
};

/** A subject is unique at its provider alone: a rule must not mean somebody's namesake at another. */
export const ruleSubjectsNameProviders: Check = function* ({ provider, forward_auth }) {
  if (provider.length < 2) return;
  for (const [index, { allow }] of forward_auth.rule.entries()) {
    const subjects = typeof allow === 'string' ? [] : allow.subjects;
    for (const [at, subject] of subjects.entries()) {
      if (provider.some(({ name }) => subject.startsWith(`${name}:`))) continue;
      const path = ['forward_auth', 'rule', index, 'allow', 'subjects', at];
      const expected =
        'a subject behind the name of its provider, like "home:4711", because there are several';
      yield { path, others: [['provider']], expected };
    }
  }
};

export const rulesDiffer: Check = function* ({ forward_auth: { rule } }) {
  for (const [index, { host, path }] of rule.entries()) {
    const first = rule.findIndex((other) => other.host === host && other.path === path);
    if (first === index) continue;
    yield {
      path: ['forward_auth', 'rule', index, 'host'],
      others: [
        ['forward_auth', 'rule', index, 'path'],
        ['forward_auth', 'rule', first, 'host'],
        ['forward_auth', 'rule', first, 'path'],
      ],
      expected: `a host and path of its own; another rule is for ${host} and ${path} as well`,
    };
  }
};
