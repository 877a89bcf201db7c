import { existsSync } from 'node:fs';

/** A program that the tests and benchmarks run Postern against, as Debian packages it. */
export interface Peer {
  debianPackage: string;
  /** A name to find on the PATH, or an absolute path. */
  file: string;
}

export const PEERS = [
  { debianPackage: 'nginx', file: 'nginx' },
  { debianPackage: 'caddy', file: 'caddy' },
  { debianPackage: 'apache2', file: 'apache2' },
  { debianPackage: 'libapache2-mod-auth-openidc', file: '/usr/lib/apache2/modules/mod_auth_openidc.so' },
  { debianPackage: 'wrk', file: 'wrk' },
  { debianPackage: 'chromium', file: 'chromium' },
  { debianPackage: 'openssl', file: 'openssl' },
  { debianPackage: 'bubblewrap', file: 'bwrap' },
  { debianPackage: 'openssh-client', file: 'ssh' },
  { debianPackage: 'openssh-server', file: 'sshd' },
  { debianPackage: 'netcat-openbsd', file: 'nc' },
  { debianPackage: 'redis-server', file: 'redis-server' },
] as const satisfies readonly Peer[];

/** Servers live in `sbin`, which the PATH of an ordinary user leaves out. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Where the peer's file is, or `undefined` when it is not installed. */
export function locatePeer(file: string): string | undefined {
  if (file.startsWith('/')) return existsSync(file) ? file : undefined;
  const path = [process.env['PATH'] ?? '', ...SYSTEM_DIRECTORIES].join(':');
  return Bun.which(file, { PATH: path }) ?? undefined;
}

export function missingPeers(peers: readonly Peer[] = PEERS): Peer[] {
  return peers.filter(({ file }) => locatePeer(file) === undefined);
}
