import { isLoopbackName } from '../../lib/loopback.ts';
import { isBelowBase, nameOf } from '../device-base.ts';
import type { Path } from '../raw-config.ts';
import type { Config } from '../schema.ts';
import type { Check, Conflict } from './conflict.ts';

const BASE: Path = ['devices', 'base'];

/** Checks of `devices.base`, where there is one. */
const withBase = (find: (base: string, config: Config) => Iterable<Omit<Conflict, 'path'>>): Check =>
  function* (config) {
    const { base } = config.devices;
    if (base === undefined) return;
    for (const conflict of find(base, config)) yield { path: BASE, ...conflict };
  };

/** Pages of devices are strangers: below the same name they could set cookies for us, or for an app, and be taken for it. */
export const deviceBaseStandsApart = withBase(function* (base, { url, forward_auth }) {
  if (isBelowBase(new URL(url).host, base)) {
    yield { others: [['url']], expected: 'a name that the host of url is not, and not below' };
  }
  for (const [index, { host }] of forward_auth.rule.entries()) {
    if (!isBelowBase(host, base)) continue;
    const others: Path[] = [['forward_auth', 'rule', index, 'host']];
    yield { others, expected: `a name that the protected host ${host} is not, and not below` };
  }
});

/** Over plain http the cookies of these hosts would be anybody's to read. */
export const plainHttpBaseStaysHere = withBase(function* (base, { url }) {
  if (url.startsWith('https:') || isLoopbackName(nameOf(base))) return;
  yield {
    others: [['url']],
    expected: 'a name on loopback like devices.localhost:7400, because url is http',
  };
});

/** Browsers leave the port of the scheme out, so that no host would match. */
export const deviceBaseOmitsDefaultPort = withBase(function* (base, { url }) {
  const suffix = url.startsWith('https:') ? ':443' : ':80';
  if (!base.endsWith(suffix)) return;
  yield { others: [['url']], expected: `the name without ${suffix}, which is the scheme’s own port` };
});

/** A subject is unique at its provider alone: a rule must not mean somebody's namesake at another. */
export const deviceSubjectsNameProviders: Check = function* ({ provider, devices }) {
  if (provider.length < 2) return;
  for (const [index, { allow }] of devices.rule.entries()) {
    const subjects = typeof allow === 'string' ? [] : allow.subjects;
    for (const [at, subject] of subjects.entries()) {
      if (provider.some(({ name }) => subject.startsWith(`${name}:`))) continue;
      const path = ['devices', 'rule', index, 'allow', 'subjects', at];
      const expected =
        'a subject behind the name of its provider, like "home:4711", because there are several';
      yield { path, others: [['provider']], expected };
    }
  }
};

const RELAY: Path = ['devices', 'relay_url'];

/** Over plain http a tunnel would be anybody's to read, and pages of devices and apps are not to stand where tunnels arrive. */
export const relayStandsApart: Check = function* ({ url, devices: { relay_url, base }, forward_auth }) {
  if (relay_url === undefined) return;
  const { host, protocol } = new URL(relay_url);
  if (protocol !== new URL(url).protocol) {
    yield { path: RELAY, others: [['url']], expected: 'an origin of the scheme that url has' };
  }
  if (base !== undefined && isBelowBase(host, base)) {
    yield { path: RELAY, others: [BASE], expected: 'a host that is not devices.base, nor below it' };
  }
  for (const [index, rule] of forward_auth.rule.entries()) {
    if (rule.host !== host) continue;
    const others: Path[] = [['forward_auth', 'rule', index, 'host']];
    yield { path: RELAY, others, expected: 'a host that no rule protects' };
  }
};

/** A signature that is forgotten while it is still good could be used again, so that the device would be refused instead. */
export const noncesOutliveSignatures: Check = function* ({
  devices: { signature_max_age, signature_max_ahead, nonce_memory },
}) {
  if (nonce_memory > signature_max_age + signature_max_ahead) return;
  yield {
    path: ['devices', 'nonce_memory'],
    others: [
      ['devices', 'signature_max_age'],
      ['devices', 'signature_max_ahead'],
    ],
    expected: 'longer than devices.signature_max_age and devices.signature_max_ahead together',
  };
};

/** A tunnel that is asked less often than it may be silent would close while all is well. */
export const heartbeatsComeInTime: Check = function* ({
  devices: { heartbeat_interval, heartbeat_timeout },
}) {
  if (heartbeat_timeout > heartbeat_interval) return;
  yield {
    path: ['devices', 'heartbeat_timeout'],
    others: [['devices', 'heartbeat_interval']],
    expected: 'longer than devices.heartbeat_interval',
  };
};
