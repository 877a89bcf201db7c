import type { ForwardAuthRuleConfig } from '../config/schema.ts';
import { allowCheck } from '../users/allow.ts';
import type { User, UserId } from '../users/model.ts';
import { canonicalPath, lenientForm } from './canonical-path.ts';

/** Who may pass under one path of one protected host. */
export interface Rule {
  /** Canonical, without a closing slash; empty for the whole host. */
  readonly path: string;
  /** Passes without anybody being signed in. */
  readonly isPublic: boolean;
  /** Origins, beside the host's own, whose forms and WebSockets the app accepts. */
  readonly allowedOrigins: readonly string[];
  mayPass(user: User): boolean;
}

/** One protected host and its rules. */
export interface ProtectedHost {
  /** Lower case, with its port unless that is the scheme's own. */
  readonly host: string;
  readonly secure: boolean;
  /**
   * The rules that a canonical path must satisfy, all of them; none: nobody may pass.
   * More than one where a program that ignores case, or cuts parameters off, would find the path under another rule.
   */
  readonly rulesFor: (path: string) => readonly Rule[];
}

export interface ForwardAuthRules {
  readonly hosts: readonly ProtectedHost[];
  /** The protected host that a `Host` header (or its like) names, in any case, with or without the scheme's own port. */
  find(host: string): ProtectedHost | undefined;
}

export interface RuleContext {
  /** Whether `url`, and with it every protected host, is https. */
  secure: boolean;
  /** What rules call the subjects of a person (`ruleSubjects`); asked only for rules that name subjects. */
  subjectsOf: (id: UserId) => readonly string[];
}

/** Prepares rules that the configuration has been checked for. */
export function compileRules(
  configs: readonly ForwardAuthRuleConfig[],
  { secure, subjectsOf }: RuleContext,
): ForwardAuthRules {
  const byHost = Map.groupBy(configs, ({ host }) => usualForm(host, secure));
  const hosts = new Map(
    [...byHost].map(([host, group]): [string, ProtectedHost] => {
      const rules = group.map((config) => compileRule(config, subjectsOf));
      return [host, { host, secure, rulesFor: ruleFinder(rules) }];
    }),
  );
  return {
    hosts: [...hosts.values()],
    find: (host) => hosts.get(host) ?? hosts.get(usualForm(host, secure)),
  };
}

/** Whether every one of the rules lets this person pass. */
export function mayPassAll(rules: readonly Rule[], user: User): boolean {
  for (const rule of rules) if (!rule.mayPass(user)) return false;
  return rules.length > 0;
}

/** Finds by the path as it stands and by its lenient form; the longest prefix wins in each. */
function ruleFinder(rules: readonly Rule[]): (path: string) => readonly Rule[] {
  const [only, ...others] = rules;
  if (others.length === 0 && only?.path === '') return () => rules;

  const entries = rules
    .map((rule) => ({ rule, alone: [rule], lenient: lenientForm(rule.path) }))
    .sort((a, b) => b.rule.path.length - a.rule.path.length);
  const byLenient = entries.toSorted((a, b) => b.lenient.length - a.lenient.length);
  const allPlain = entries.every(({ rule, lenient }) => rule.path === lenient);

  return (path) => {
    const exact = entries.find(({ rule }) => isUnder(path, rule.path));
    if (exact === undefined) return [];
    const lenient = lenientForm(path);
    if (allPlain && lenient === path) return exact.alone;
    const nearest = byLenient.find((entry) => isUnder(lenient, entry.lenient));
    const alike = byLenient.filter((entry) => entry.lenient === nearest?.lenient).map(({ rule }) => rule);
    return alike.includes(exact.rule) ? alike : [exact.rule, ...alike];
  };
}

/** On segment boundaries: `/admin` holds `/admin` and `/admin/x`, not `/administration`. */
function isUnder(path: string, prefix: string): boolean {
  return (
    path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)
  );
}

function compileRule(config: ForwardAuthRuleConfig, subjectsOf: RuleContext['subjectsOf']): Rule {
  const { path, allow, allowed_origins: allowedOrigins } = config;
  return {
    path: rulePath(path),
    isPublic: allow === 'public',
    allowedOrigins,
    mayPass: allowCheck(allow === 'public' ? 'everyone' : allow, subjectsOf),
  };
}

/** The prefix in the spelling that request paths are brought to. */
function rulePath(path: string): string {
  const encoded = path.replaceAll(/[^\0-\x7f]+/g, encodeURIComponent);
  const canonical = canonicalPath(encoded);
  if (canonical === undefined)
    throw new Error('the path of a rule is ambiguous, which the configuration excludes');
  return canonical.replace(/\/$/, '');
}

function usualForm(host: string, secure: boolean): string {
  const ownPort = secure ? ':443' : ':80';
  const lower = host.toLowerCase();
  return lower.endsWith(ownPort) ? lower.slice(0, -ownPort.length) : lower;
}
