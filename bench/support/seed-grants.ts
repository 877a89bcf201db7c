import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configSchema } from '../../src/config/schema.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { openServices } from '../../src/services.ts';
import { resourceAudience } from '../../src/sessions/audience.ts';
import { APPLIANCE_ORIGIN } from './seed.ts';

/** The client that holds the grants. Nobody registered it, which nobody asks while all goes well. */
export const BENCH_CLIENT = 'bench';

const NOWHERE = { provider: undefined, providerSid: undefined, address: '127.0.0.1', userAgent: 'bench' };

/**
 * Fills a new data directory with grants of one person at the built-in backend, the way the appliance makes them.
 * Returns a file with one refresh token a line.
 */
export async function seedGrants(dataDir: string, count: number): Promise<string> {
  const config = configSchema.parse({ url: APPLIANCE_ORIGIN, data_dir: dataDir });
  const log = createLogger({ level: 'error', format: 'json', clock: systemClock, write: () => undefined });
  await using services = await openServices(config, { clock: systemClock, log });
  const { db, ledger, people } = services;
  const user = await db.write((tx) =>
    people.acts.createLocal(tx, { username: 'bench', role: 'owner', by: {} }),
  );
  const browser = await db.write((tx) => ledger.openBrowserSession(tx, { userId: user.id, origin: NOWHERE }));
  const opened = await Promise.all(
    Array.from({ length: count }, () =>
      db.write((tx) =>
        ledger.openGrant(tx, {
          issuedBy: browser.session.id,
          clientId: BENCH_CLIENT,
          label: BENCH_CLIENT,
          audience: resourceAudience(`${APPLIANCE_ORIGIN}/mcp/whoami`),
          scope: 'mcp:whoami',
          origin: NOWHERE,
        }),
      ),
    ),
  );
  const file = join(dataDir, '..', 'refresh-tokens');
  writeFileSync(file, opened.map(({ tokens }) => `${tokens.refresh}\n`).join(''));
  return file;
}
