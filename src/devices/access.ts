import type { DeviceRuleConfig } from '../config/schema.ts';
import type { SessionId } from '../sessions/model.ts';
import { allowCheck, type SubjectsOf } from '../users/allow.ts';
import type { User, UserId } from '../users/model.ts';

/** What decides who may reach a device. */
export interface ReachedDevice {
  readonly id: string;
  readonly handle: string;
  readonly sessionId: SessionId;
  /** Who paired it. */
  readonly userId: UserId;
  readonly labels: Readonly<Record<string, string>>;
}

export interface DeviceAccessDeps {
  rules: readonly DeviceRuleConfig[];
  /** What rules call the subjects of a person (`ruleSubjects`). */
  subjectsOf: SubjectsOf;
}

export type DeviceAccess = ReturnType<typeof deviceAccess>;

/**
 * Who may reach which service of which device: whoever paired it, everywhere; others by any one rule that names the device
 * and the service. Guests act as the person who made their link, at the one host of their session.
 */
export function deviceAccess({ rules: configs, subjectsOf }: DeviceAccessDeps) {
  const rules = configs.map((config) => compileRule(config, subjectsOf));

  return {
    mayReach: (user: User, device: ReachedDevice, service: string): boolean =>
      device.userId === user.id || rules.some((rule) => rule.isFor(device, service) && rule.mayPass(user)),
  };
}

interface Rule {
  isFor(device: ReachedDevice, service: string): boolean;
  mayPass(user: User): boolean;
}

function compileRule(
  { device, labels = {}, services, allow }: DeviceRuleConfig,
  subjectsOf: SubjectsOf,
): Rule {
  const wanted = Object.entries(labels);
  return {
    isFor: ({ handle, labels: had }, service) =>
      (device === undefined || device === '*' || device === handle) &&
      wanted.every(([name, value]) => Object.hasOwn(had, name) && had[name] === value) &&
      (services === undefined || services.includes(service)),
    mayPass: allowCheck(allow, subjectsOf),
  };
}
