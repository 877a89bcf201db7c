import { lchownSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { UserId } from '../users/model.ts';

const OWNER_ONLY = 0o700;

/**
 * The directory in which the children of one person may keep things at one backend: what one person's child writes there,
 * another's never runs. Made when it is missing; given to `uid` where children have uids of their own.
 * @throws Error of the system when it cannot be made.
 */
export function cacheOf(
  { cache, name }: { cache: string; name: string },
  userId: UserId,
  uid: number | undefined,
): string {
  const path = join(cache, name, userId);
  mkdirSync(path, { recursive: true, mode: OWNER_ONLY });
  if (uid !== undefined && lstatSync(path).uid !== uid) giveTree(path, uid);
  return path;
}

/** Everything below too; links themselves, never what they lead to. The directory comes last: until then it is not done. */
function giveTree(path: string, uid: number): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) giveTree(inside, uid);
    else lchownSync(inside, uid, uid);
  }
  lchownSync(path, uid, uid);
}
