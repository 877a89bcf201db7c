import { writeFileSync } from 'node:fs';
import { configSchema } from '../../src/config/schema.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { openServices } from '../../src/services.ts';
import type { SessionId, SessionToken } from '../../src/sessions/model.ts';
import { TOKEN_LENGTH } from '../../src/sessions/token.ts';
import { APP_HOSTS, APPLIANCE_ORIGIN, type SeededTokens } from './seed.ts';

/** A browser in which somebody is signed in, and what it holds at each of `APP_HOSTS`, in their order. */
export interface SeededBrowser {
  id: SessionId;
  token: SessionToken;
  hostTokens: readonly SessionToken[];
}

/** Browsers that write at once: each takes several commits, which they share. */
const AT_ONCE = 100;
const NOWHERE = { provider: undefined, providerSid: undefined, address: '192.0.2.7', userAgent: 'bench' };

/** Signs people in the way the appliance does, `count` of them with one browser each: in Redis where there is an address. */
export async function seedBrowsers(
  dataDir: string,
  count: number,
  redisUrl?: string,
): Promise<SeededBrowser[]> {
  const redis = redisUrl === undefined ? {} : { url: redisUrl };
  const config = configSchema.parse({ url: APPLIANCE_ORIGIN, data_dir: dataDir, redis });
  const log = createLogger({ level: 'error', format: 'json', clock: systemClock, write: () => undefined });
  await using services = await openServices(config, { clock: systemClock, log });
  const { db, ledger, people } = services;
  const seedOne = async (index: number): Promise<SeededBrowser> => {
    const username = `bench-${index}`;
    const user = await db.write((tx) => people.acts.createLocal(tx, { username, role: 'member', by: {} }));
    const browser = await db.write((tx) =>
      ledger.openBrowserSession(tx, { userId: user.id, origin: NOWHERE }),
    );
    const { id } = browser.session;
    const children = await Promise.all(
      APP_HOSTS.map((host) =>
        db.write((tx) => ledger.openChildSession(tx, { parentId: id, host, origin: NOWHERE })),
      ),
    );
    return { id, token: browser.token, hostTokens: children.map(({ token }) => token) };
  };
  const browsers: SeededBrowser[] = [];
  while (browsers.length < count) {
    const next = Array.from({ length: Math.min(AT_ONCE, count - browsers.length) }, (_, index) =>
      seedOne(browsers.length + index),
    );
    browsers.push(...(await Promise.all(next)));
  }
  return browsers;
}

/** What all of them hold at the hosts, as load draws it. */
export function hostTokensFile(file: string, browsers: readonly SeededBrowser[]): SeededTokens {
  const tokens = browsers.flatMap(({ hostTokens }) => hostTokens);
  writeFileSync(file, `${tokens.join('\n')}\n`);
  return { file, count: tokens.length, length: TOKEN_LENGTH };
}
