import { parseHost } from './hosts.ts';
import type { Config } from './schema.ts';

/** Whether a host is the base of devices' hosts, or stands below it. Ports do not count: cookies ignore them. */
export function isBelowBase(host: string, base: string): boolean {
  const name = nameOf(host);
  return name === nameOf(base) || name.endsWith(`.${nameOf(base)}`);
}

/** A host without its port. */
export const nameOf = (host: string): string => parseHost(host)?.hostname ?? host;

/** The base where none is configured: on the machine itself every name below `localhost` leads here. */
export function usualDeviceBase({
  url,
  forward_auth,
}: Pick<Config, 'url' | 'forward_auth'>): string | undefined {
  const { protocol, host, port } = new URL(url);
  if (protocol !== 'http:') return undefined;
  const base = port === '' ? 'devices.localhost' : `devices.localhost:${port}`;
  const hosts = [host, ...forward_auth.rule.map((rule) => rule.host)];
  return hosts.some((each) => isBelowBase(each, base)) ? undefined : base;
}
