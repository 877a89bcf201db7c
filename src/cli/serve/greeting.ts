import { hostname, userInfo } from 'node:os';
import { parseListen } from '../../config/hosts.ts';
import type { Config } from '../../config/schema.ts';
import { isLoopbackName } from '../../lib/loopback.ts';
import type { Io } from '../io.ts';
import { confide, forget } from './confide.ts';

/** What a running appliance tells of itself. */
export interface Started {
  url: string;
  /** Where it really listens, `host:port`. */
  listen: string;
  /** SHA-256 of the certificate, when TLS ends here. */
  fingerprint?: string | undefined;
  /** For the first owner, while nobody has ever been a user. */
  setupLink?: string | undefined;
  /** The demo user, when this start added it. */
  demo?: { username: string; password: string; pairingLink: string } | undefined;
}

export const SETUP_FILE = 'setup-link';
const DEMO_FILE = 'demo-password';
const DEMO_PAIRING_FILE = 'demo-pairing';

/** Tells the person who started it that it is ready, how to reach it, and what lets them in. */
export function greet(started: Started, config: Config, io: Io): void {
  const secrets = [setupSecret(started), demoSecret(started), demoPairing(started)];
  // Where others share the directory, the file may be of one that has just started too.
  const files = config.redis.url === undefined ? [SETUP_FILE] : [];
  for (const file of [...files, DEMO_FILE, DEMO_PAIRING_FILE]) forget(file, config.data_dir);
  const confided = secrets.flatMap((each) => (each === undefined ? [] : confide(each, config.data_dir, io)));
  // In one piece: whoever waits for the first line has them all.
  io.out([...greetingLines(started, config), ...confided].join('\n'));
}

export function greetingLines(
  { url, listen, fingerprint }: Started,
  { data_dir, tls }: Pick<Config, 'data_dir' | 'tls'>,
  machine = thisMachine(),
): string[] {
  return [
    `Postern is ready at ${url}`,
    `  data: ${data_dir}`,
    ...(fingerprint === undefined ? [] : [`  certificate: SHA-256 ${fingerprint}`]),
    ...(tls === 'self-signed'
      ? ['  A browser will ask about that certificate once: compare it with this line.']
      : []),
    ...forwarding(url, listen, machine),
  ];
}

/** On a loopback `url` only browsers of this machine reach it; ssh brings the port to another one. */
function forwarding(url: string, listen: string, machine: string): string[] {
  const { hostname: name, port, protocol } = new URL(url);
  const address = parseListen(listen);
  if (address === undefined || !isLoopbackName(name)) return [];
  const urlPort = port === '' ? (protocol === 'https:' ? 443 : 80) : port;
  const host = address.hostname.includes(':') ? `[${address.hostname}]` : address.hostname;
  return [
    '  from another machine: run this there, then open the same address',
    `    ssh -L ${urlPort}:${host}:${address.port} ${machine}`,
  ];
}

/** `user@host`, as ssh takes it. A user id without a name, as containers have, stops nothing. */
export function thisMachine(readUser: () => { username: string } = userInfo): string {
  return `${nameOf(readUser)}@${hostname()}`;
}

function nameOf(readUser: () => { username: string }): string {
  try {
    const { username } = readUser();
    // What the runtime says where neither the system nor the environment has a name.
    return username === 'unknown' ? 'you' : username;
  } catch {
    return 'you';
  }
}

function setupSecret({ setupLink }: Started) {
  if (setupLink === undefined) return undefined;
  return {
    file: SETUP_FILE,
    what: 'Nobody has an account yet. Make the owner with this link',
    secret: setupLink,
  };
}

function demoSecret({ demo }: Started) {
  if (demo === undefined) return undefined;
  return { file: DEMO_FILE, what: `The password of the user "${demo.username}"`, secret: demo.password };
}

function demoPairing({ demo }: Started) {
  if (demo === undefined) return undefined;
  return {
    file: DEMO_PAIRING_FILE,
    what: 'For ten minutes this pairs a device with it, from another terminal',
    secret: `postern agent --join "${demo.pairingLink}"`,
  };
}
