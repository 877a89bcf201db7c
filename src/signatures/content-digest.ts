/** The algorithms that a digest may have (RFC 9530 section 5), each with the form that its value always has. */
const ALGORITHMS = {
  'sha-256': /^:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=:$/,
  'sha-512': /^:[A-Za-z0-9+/]{85}[AQgw]==:$/,
} as const;
type Algorithm = keyof typeof ALGORITHMS;

/** What a `Content-Digest` field states: bytes in base64, by algorithm; at least one. */
export type StatedDigests = ReadonlyMap<Algorithm, string>;

/** The value of `Content-Digest` for these bytes (RFC 9530 section 2). */
export function contentDigest(body: Uint8Array): string {
  return `sha-256=:${digestOf('sha-256', body)}:`;
}

/** Reads the field; `undefined` when it is malformed, or names an algorithm that nobody here can check. */
export function readContentDigest(field: string): StatedDigests | undefined {
  const stated = new Map<Algorithm, string>();
  for (const member of field.split(',')) {
    const text = member.trim();
    const equals = text.indexOf('=');
    const algorithm = text.slice(0, equals);
    const value = text.slice(equals + 1);
    if (!isAlgorithm(algorithm) || stated.has(algorithm)) return undefined;
    if (!ALGORITHMS[algorithm].test(value)) return undefined;
    stated.set(algorithm, value.slice(1, -1));
  }
  return stated;
}

/** Whether every digest that was stated is that of these bytes. */
export function fitsDigests(stated: StatedDigests, body: Uint8Array): boolean {
  return [...stated].every(([algorithm, digest]) => digestOf(algorithm, body) === digest);
}

function isAlgorithm(text: string): text is Algorithm {
  return Object.hasOwn(ALGORITHMS, text);
}

function digestOf(algorithm: Algorithm, body: Uint8Array): string {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return algorithm === 'sha-256' ? Bun.SHA256.hash(bytes, 'base64') : Bun.SHA512.hash(bytes, 'base64');
}
