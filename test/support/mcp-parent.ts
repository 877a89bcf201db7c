/** `bun mcp-parent.ts <argv as JSON> <marker>`: starts one child as the appliance does, and waits to be killed. */
import { systemClock } from '../../src/lib/clock.ts';
import { spawnChild } from '../../src/mcp/child-process.ts';

const [argv = '[]', marker = ''] = process.argv.slice(2);
const [program = '', ...rest] = JSON.parse(argv) as string[];
const child = spawnChild({
  argv: [program, ...rest],
  env: { PATH: '/usr/local/bin:/usr/bin:/bin', MARK: marker },
  cwd: '/',
  clock: systemClock,
  maxLineBytes: 1_000,
  maxQueuedBytes: 1_000,
  ladder: { inputClosedMs: 1_000, terminatedMs: 1_000 },
  wrappers: 0,
  onLine: () => undefined,
  onLong: () => undefined,
  onErrorLine: (line) => process.stderr.write(`${line}\n`),
});
await child.exited;
