/** In the order of RFC 4648 section 6, in lower case. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Bytes in base32 in lower case, without padding. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let waiting = 0;
  for (const byte of bytes) {
    waiting = (waiting << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(waiting >>> (bits - 5)) & 31];
    waiting &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + ALPHABET[(waiting << (5 - bits)) & 31];
}
