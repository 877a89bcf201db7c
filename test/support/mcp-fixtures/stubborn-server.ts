import { join } from 'node:path';

/**
 * `bun stubborn-server.ts [MARK]`: a server behind a launcher, as `npx` is one, and neither goes when it is asked to: the end
 * of input means nothing to them, nor do SIGTERM and SIGHUP.
 */

for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.on(signal, () => undefined);
setInterval(() => undefined, 60_000);

// By this name whoever runs as another user finds it too.
const server = ['/proc/self/exe', '--no-env-file', join(import.meta.dir, 'legacy-server.ts')];
Bun.spawn([...server, '--stay', ...process.argv.slice(2)], { stdio: ['inherit', 'inherit', 'inherit'] });
