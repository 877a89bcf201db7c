import { usualDeviceBase } from '../../config/device-base.ts';
import type { Config } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { describePlace, placeOf } from '../../redis/place.ts';

/** An optional part of the appliance: what it is on for, without secrets, or the key that turns it on. */
export type PartLine = { part: string; on: string } | { part: string; key: string };

type Part = readonly [part: string, key: string, target: (config: Config) => string];

/** An empty target: the part is off. */
const PARTS: readonly Part[] = [
  [
    'sign-in through providers',
    'provider',
    ({ provider }) => list(provider.map((one) => `${one.name} (${one.issuer ?? one.kind})`)),
  ],
  [
    'linked accounts',
    'upstream.provider',
    ({ provider, upstream, mcp }) =>
      list(
        [
          ...provider.filter(({ name }) => mcp.some((backend) => backend.provider === name)),
          ...upstream.provider,
        ].map((one) => `${one.name} (${one.issuer ?? one.kind})`),
      ),
  ],
  [
    'forward-auth',
    'forward_auth.rule',
    ({ forward_auth }) => list([...new Set(forward_auth.rule.map(({ host }) => host))]),
  ],
  ['MCP', 'mcp', ({ mcp }) => (mcp.length === 0 ? 'whoami (built in)' : list(mcp.map(backendLine)))],
  ['hosts of devices', 'devices.base', (config) => config.devices.base ?? usualDeviceBase(config) ?? ''],
  ['trusted proxies', 'trusted_proxies', ({ trusted_proxies }) => list(trusted_proxies)],
  ['TLS', 'tls', ({ tls }) => (typeof tls === 'object' ? tls.cert : (tls ?? ''))],
  ['API for other origins', 'cors.allowed_origins', ({ cors }) => list(cors.allowed_origins)],
  ['Redis', 'redis.url', ({ redis }) => (redis.url === undefined ? '' : describePlace(placeOf(redis)))],
  ['demo', 'demo', ({ demo }) => (demo ? 'a demo user' : '')],
];

/** One line for each optional part, always in the same order. */
export function partLines(config: Config): PartLine[] {
  return PARTS.map(([part, key, target]) => {
    const on = target(config);
    return on === '' ? { part, key } : { part, on };
  });
}

export function logParts(config: Config, log: Logger): void {
  for (const line of partLines(config)) {
    if ('on' in line) log.info(`${line.part}: on`, { for: line.on });
    else log.info(`${line.part}: off`, { turn_on_with: line.key });
  }
}

/** Arguments, paths and queries may hold secrets. */
const backendLine = ({ name, url, command }: Config['mcp'][number]) =>
  `${name} (${url === undefined ? command?.[0] : new URL(url).origin})`;

const list = (items: readonly string[]) => items.join(', ');
