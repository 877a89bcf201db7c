import { LRUCache } from 'lru-cache';
import {
  type AddressRange,
  formatAddress,
  parseAddress,
  rangeContains,
  rangeCovers,
} from '../lib/ip-address.ts';
import { isLoopbackAddress } from '../lib/loopback.ts';
import type { Peer } from './native.ts';

/** Addresses remembered. Proxies are few; on an open port strangers push each other out. */
const MAX_PEERS = 1024;

export interface PeerTable {
  /** The peer behind a connection's address; the same object for the same address. */
  of(address: string): Peer;
  /** The peer that sent a request. */
  behind(request: Request, server: Pick<Bun.Server<unknown>, 'requestIP'>): Peer;
  /**
   * The client of a request: the right-most hop that is not trusted, and the peer itself unless that is trusted.
   * `forwardedFor` is the whole `X-Forwarded-For`; what stands left of a hop that is no address is not believed.
   */
  clientAddress(peer: Peer, forwardedFor: string | null): string;
}

/** `listenAddress` is where connections arrive: on some addresses it is known beforehand who can be behind them. */
export function peerTable(trusted: readonly AddressRange[], listenAddress?: string): PeerTable {
  const everybody = onlyTrustedPeer(trusted, listenAddress);
  const peers = new LRUCache<string, Peer>({ max: MAX_PEERS });

  const isTrusted = (bytes: Uint8Array) => trusted.some((range) => rangeContains(range, bytes));
  const describe = (address: string): Peer => {
    const bytes = parseAddress(address);
    if (bytes === undefined) return { address, trusted: false };
    return { address: formatAddress(bytes), trusted: isTrusted(bytes) };
  };

  const table: PeerTable = {
    of(address) {
      const known = peers.get(address);
      if (known !== undefined) return known;
      const peer = describe(address);
      peers.set(address, peer);
      return peer;
    },
    behind: (request, server) => everybody ?? table.of(server.requestIP(request)?.address ?? ''),
    clientAddress(peer, forwardedFor) {
      if (!peer.trusted || forwardedFor === null) return peer.address;
      let client = peer.address;
      for (const hop of forwardedFor.split(',').toReversed()) {
        const bytes = parseAddress(withoutPort(hop.trim()));
        if (bytes === undefined) break;
        client = formatAddress(bytes);
        if (!isTrusted(bytes)) break;
      }
      return client;
    },
  };
  return table;
}

const IPV4_LOOPBACK: AddressRange = { network: Uint8Array.of(127, 0, 0, 0), bits: 8 };

/**
 * Whom everybody counts as where connections can only come from this machine and all of it is trusted. To ask the system
 * for each request's peer would cost a check as much as its look-up in memory.
 */
function onlyTrustedPeer(trusted: readonly AddressRange[], listenAddress = ''): Peer | undefined {
  const bytes = parseAddress(listenAddress);
  if (bytes === undefined || !isLoopbackAddress(listenAddress)) return undefined;
  const reachable = bytes.length === 4 ? IPV4_LOOPBACK : { network: bytes, bits: bytes.length * 8 };
  const isTrusted = trusted.some((range) => rangeCovers(range, reachable));
  return isTrusted ? { address: formatAddress(bytes), trusted: true } : undefined;
}

/** Some proxies write the port too: `192.0.2.1:4711`, `[2001:db8::1]:4711`, `[2001:db8::1]`. */
function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]*)\](?::[0-9]+)?$/.exec(hop);
  if (bracketed !== null) return bracketed[1] ?? '';
  return /^[0-9.]+:[0-9]+$/.test(hop) ? hop.slice(0, hop.indexOf(':')) : hop;
}
