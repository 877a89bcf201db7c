/** A process that takes the data directory it is given, says so, and holds it until it is ended. */
import { lockDataDirectory } from '../../src/db/lock.ts';

const [dataDir = '', mode] = process.argv.slice(2);
try {
  const lock = lockDataDirectory(dataDir, mode === 'shared' ? 'shared' : 'exclusive');
  console.log('held');
  process.stdin.on('end', () => lock[Symbol.dispose]());
  process.stdin.resume();
} catch (error) {
  console.log(error instanceof Error ? error.name : 'unknown', error instanceof Error ? error.message : '');
}
