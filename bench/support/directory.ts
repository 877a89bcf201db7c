import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory for one run, removed when disposed of. Others may look in: Apache's workers are another user. */
export function benchDirectory(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  chmodSync(path, 0o755);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
