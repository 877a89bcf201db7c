import { readFileSync } from 'node:fs';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const PAGE_SIZE_AT = 8;
const SALT_AT = 16;
/** In a frame's header: the database's size in pages after this commit, 0 for a frame that ends none. */
const COMMIT_AT = 4;
const FRAME_SALT_AT = 8;

/**
 * Counts the transactions of a write-ahead log from now on (https://www.sqlite.org/fileformat.html section 4.1). SQLite begins the
 * file anew once its pages are in the database: ask more often than there are writes, so that none goes by unseen.
 */
export function commitCounter(path: string): () => number {
  let last = readLog(path);
  let count = 0;
  return () => {
    const now = readLog(path);
    count += now.salt === last.salt ? now.commits - last.commits : now.commits;
    last = now;
    return count;
  };
}

/** What the log holds since it last began anew. */
function readLog(path: string): { salt: bigint; commits: number } {
  const log = readFileSync(path);
  if (log.length < HEADER_BYTES) return { salt: 0n, commits: 0 };
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(PAGE_SIZE_AT);
  const salt = log.readBigUInt64BE(SALT_AT);
  let commits = 0;
  for (let at = HEADER_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    // What follows is left of a log before it began anew.
    if (log.readBigUInt64BE(at + FRAME_SALT_AT) !== salt) break;
    if (log.readUInt32BE(at + COMMIT_AT) !== 0) commits++;
  }
  return { salt, commits };
}
