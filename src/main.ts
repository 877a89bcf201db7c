import './config/production.ts';
import { processIo } from './cli/io.ts';
import { run } from './cli/run.ts';

// SQLite makes its files with whatever mode the umask leaves: what we keep is for its owner alone.
process.umask(0o077);

const io = processIo();
const exitCode = await run(process.argv.slice(2), io);
await io.flush();
// Not only `exitCode`: after a second signal, or a failed start, something may still be holding the process open.
process.exit(exitCode);
