import { parseAddress } from './ip-address.ts';

/** Whether a host name as URLs write it (no port) always means this very machine (RFC 6761 section 6.3). */
export function isLoopbackName(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '127.0.0.1' ||
    hostname === '[::1]'
  );
}

/** Whether what listens at this name or address (no brackets) is reached from this machine alone. */
export function isLoopbackAddress(host: string): boolean {
  if (host === 'localhost') return true;
  const bytes = parseAddress(host);
  if (bytes?.length === 4) return bytes[0] === 127;
  return bytes !== undefined && bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
}
