import type { HttpRequestHead } from '../tunnel/heads.ts';
import type { HttpTarget } from './model.ts';

/** The head of a request to a service, and how its body is framed. */
export interface LocalRequest {
  /** All but the fields that frame the body, and without the last empty line. */
  readonly lines: string;
  /** Bytes of the body; `undefined` when nobody has said so. */
  readonly length: number | undefined;
}

/**
 * Fields that this side writes itself: who is asked, how the body is framed, and the wait for a go-ahead, which ends at the
 * server that the visitor spoke to (RFC 9110 section 10.1.1).
 */
const OWN: ReadonlySet<string> = new Set(['host', 'content-length', 'expect']);

/** `undefined` where the length of the body is stated in a way that could be read in two. */
export function localRequest(head: HttpRequestHead, target: HttpTarget): LocalRequest | undefined {
  const lengths = head.headers.filter(([name]) => name === 'content-length');
  const stated = lengths[0]?.[1];
  if (lengths.length > 1 || (stated !== undefined && !/^\d{1,15}$/.test(stated))) return undefined;
  let lines = `${head.method} ${head.target} HTTP/1.1\r\nhost: ${target.host ?? head.host}\r\n`;
  let names = '';
  for (const [name, value] of head.headers) {
    if (OWN.has(name)) continue;
    lines += `${name}: ${value}\r\n`;
    if (name.startsWith('x-forwarded-')) names += ` ${name} `;
  }
  // What the visitor sent of these ended at the server; what is there, the server has said.
  if (!names.includes(' x-forwarded-proto ')) lines += `x-forwarded-proto: ${head.scheme}\r\n`;
  if (!names.includes(' x-forwarded-host ')) lines += `x-forwarded-host: ${head.host}\r\n`;
  return { lines, length: stated === undefined ? undefined : Number(stated) };
}
