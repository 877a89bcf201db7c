/**
 * A process that takes what it is told to, says so, and holds it until it is ended.
 * `lock-holder.ts <directory> exclusive|shared|leader|<role> [name]`
 */
import { sharedLeadership } from '../../src/db/leader.ts';
import { lockDataDirectory } from '../../src/db/lock.ts';
import { takeRole } from '../../src/db/roles.ts';

const [dataDir = '', what = 'exclusive', name = ''] = process.argv.slice(2);

function take(): Disposable {
  if (what === 'exclusive' || what === 'shared') return lockDataDirectory(dataDir, what);
  if (what !== 'leader') return takeRole(dataDir, what, name);
  const leadership = sharedLeadership(dataDir);
  if (!leadership.lead()) throw new Error('somebody else leads');
  return leadership;
}

try {
  const lock = take();
  console.log('held');
  process.stdin.on('end', () => lock[Symbol.dispose]());
  process.stdin.resume();
} catch (error) {
  console.log(error instanceof Error ? error.name : 'unknown', error instanceof Error ? error.message : '');
}
