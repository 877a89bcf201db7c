import { describe, expect, test } from 'bun:test';
import { peerTable } from '../../../src/http/peers.ts';
import { parseRange } from '../../../src/lib/ip-address.ts';

const table = (...trusted: string[]) => peerTable(trusted.flatMap((text) => parseRange(text) ?? []));

const client = (peer: string, forwarded: string | null, ...trusted: string[]) => {
  const peers = table(...trusted);
  return peers.clientAddress(peers.of(peer), forwarded);
};

describe('a peer', () => {
  test('is trusted when a range holds it, in either family', () => {
    const peers = table('10.0.0.0/8', 'fd00::/8');
    expect(peers.of('10.1.2.3')).toEqual({ address: '10.1.2.3', trusted: true });
    expect(peers.of('::ffff:10.1.2.3')).toEqual({ address: '10.1.2.3', trusted: true });
    expect(peers.of('fd00::7').trusted).toBe(true);
    expect(peers.of('192.0.2.1').trusted).toBe(false);
    expect(peers.of('').trusted).toBe(false);
  });

  test('is one object for one address', () => {
    const peers = table('10.0.0.0/8');
    expect(peers.of('10.1.2.3')).toBe(peers.of('10.1.2.3'));
  });

  test('of nobody is trusted where no range is given', () => {
    expect(table().of('127.0.0.1').trusted).toBe(false);
  });
});

describe('behind a request', () => {
  const request = new Request('http://localhost/');
  const server = { requestIP: () => ({ address: '127.0.0.9', family: 'IPv4' as const, port: 4711 }) };
  const behind = (listen: string, ...trusted: string[]) =>
    peerTable(
      trusted.flatMap((text) => parseRange(text) ?? []),
      listen,
    ).behind(request, server);

  test.each([
    ['127.0.0.1', '127.0.0.0/8', { address: '127.0.0.1', trusted: true }],
    ['127.0.0.1', '0.0.0.0/1', { address: '127.0.0.1', trusted: true }],
    ['::1', '::1', { address: '::1', trusted: true }],
  ])('nobody is asked for at %p where %p is trusted', (listen, trusted, peer) => {
    expect(behind(listen, trusted)).toEqual(peer);
  });

  test.each([
    ['127.0.0.1', '127.0.0.1/32', false],
    ['127.0.0.1', '127.0.0.0/9', true],
    ['0.0.0.0', '127.0.0.0/8', true],
    ['::', '127.0.0.0/8', true],
    ['::1', '127.0.0.0/8', true],
    ['localhost', '127.0.0.0/8', true],
    ['192.0.2.1', '0.0.0.0/1', true],
  ])('the system is asked at %p where %p is trusted', (listen, trusted, isTrusted) => {
    expect(behind(listen, trusted)).toEqual({ address: '127.0.0.9', trusted: isTrusted });
  });
});

describe('the client', () => {
  test.each([
    ['an untrusted peer is the client, whatever it says', '192.0.2.9', '1.2.3.4', '192.0.2.9'],
    ['without the header it is the peer', '10.0.0.1', null, '10.0.0.1'],
    ['one hop', '10.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['what the client wrote itself is not believed', '10.0.0.1', '1.2.3.4, 198.51.100.7', '198.51.100.7'],
    ['trusted hops are passed over', '10.0.0.1', '1.2.3.4, 198.51.100.7, 10.0.0.9, 10.0.0.8', '198.51.100.7'],
    ['only trusted hops: the first of them', '10.0.0.1', '10.0.0.3,10.0.0.2', '10.0.0.3'],
    ['a hop that is no address ends the search', '10.0.0.1', '198.51.100.7, unknown, 10.0.0.9', '10.0.0.9'],
    ['an empty header says nothing', '10.0.0.1', '', '10.0.0.1'],
    ['an empty hop ends the search', '10.0.0.1', '198.51.100.7, , 10.0.0.9', '10.0.0.9'],
    ['with a port', '10.0.0.1', '198.51.100.7:4711', '198.51.100.7'],
    ['IPv6', '10.0.0.1', '2001:DB8::0:1', '2001:db8::1'],
    ['IPv6 in brackets, with a port', '10.0.0.1', '[2001:db8::1]:4711', '2001:db8::1'],
    ['IPv4 inside IPv6', '10.0.0.1', '::ffff:198.51.100.7', '198.51.100.7'],
  ])('%s', (_what, peer, forwarded, expected) => {
    expect(client(peer, forwarded, '10.0.0.0/8')).toBe(expected);
  });
});
