/** Header lines in order; names in lower case, each name as often as it was sent. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** Headers that are about one connection, and end with it (RFC 9110 section 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** A token (RFC 9110 section 5.6.2), in lower case. */
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** Visible characters, blanks between them, and the upper half of Latin-1 (RFC 9110 section 5.5). */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name);
}

/** Whether a name, in lower case, and a value may stand in a head. */
export function isHeader(name: string, value: string): boolean {
  return NAME.test(name) && !HOP_BY_HOP.has(name) && VALUE.test(value);
}

/** The headers that go on to the next hop: none of those about this connection, nor those that `Connection` names. */
export function endToEndHeaders(headers: Headers): [string, string][] {
  const named = headers.get('connection')?.toLowerCase();
  const own = named === undefined ? undefined : new Set(named.split(',').map((name) => name.trim()));
  const list: [string, string][] = [];
  for (const [name, value] of headers) {
    if (HOP_BY_HOP.has(name) || own?.has(name) === true) continue;
    list.push([name, value]);
  }
  return list;
}
