import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Browser } from './browser.ts';
import { PASSWORD } from './loopback-site.ts';
import type { Servers } from './nodes.ts';

/** The browser of the first owner (`owner`, `PASSWORD`), who has used the setup link. */
export async function signInOwner({ dataDir, port }: Pick<Servers, 'dataDir' | 'port'>): Promise<Browser> {
  const link = readFileSync(join(dataDir, 'setup-link'), 'utf8').trim();
  const browser = new Browser();
  await browser.submit(new URL(`http://localhost:${port}/setup`), {
    link,
    username: 'owner',
    via: 'password',
    new_password: PASSWORD,
    new_password_again: PASSWORD,
  });
  return browser;
}
