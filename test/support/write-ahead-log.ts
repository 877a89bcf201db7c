import { readFileSync } from 'node:fs';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const PAGE_SIZE_AT = 8;
const SALT_AT = 16;
/** In a frame's header: the database's size in pages after this commit, 0 for a frame that ends none. */
const COMMIT_AT = 4;
const FRAME_SALT_AT = 8;

/** How many transactions a write-ahead log holds since its last restart (https://www.sqlite.org/fileformat.html section 4.1). */
export function commitsIn(path: string): number {
  const log = readFileSync(path);
  if (log.length < HEADER_BYTES) return 0;
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(PAGE_SIZE_AT);
  const salt = log.readBigUInt64BE(SALT_AT);
  let commits = 0;
  for (let at = HEADER_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    // What follows is left of a log before the restart.
    if (log.readBigUInt64BE(at + FRAME_SALT_AT) !== salt) break;
    if (log.readUInt32BE(at + COMMIT_AT) !== 0) commits++;
  }
  return commits;
}
