import { openApp } from '../../src/app.ts';
import { configSchema } from '../../src/config/schema.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { User, UserRole } from '../../src/users/model.ts';
import { passwordHasher } from '../../src/users/password-hash.ts';
import { Browser } from './browser.ts';
import { temporaryDirectory } from './database.ts';
import { freePort } from './free-port.ts';
import { GOOD_PASSWORD } from './local-accounts.ts';
import { type RecordedLog, recordedLog } from './silent-log.ts';

export interface WholeSite extends AsyncDisposable {
  readonly app: Awaited<ReturnType<typeof openApp>>;
  readonly log: RecordedLog;
  readonly port: number;
  url(path: string): URL;
  /** Somebody who can sign in with `GOOD_PASSWORD`. */
  addPerson(username: string, role?: UserRole): Promise<User>;
  /** A browser of somebody new, signed in. */
  signedIn(username: string, role?: UserRole): Promise<Browser>;
}

/** The whole appliance in this process, on plain http of loopback, as `openApp` puts it together. */
export async function wholeSite(config: Record<string, unknown> = {}): Promise<WholeSite> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(temporaryDirectory());
  const port = freePort();
  const log = recordedLog();
  const parsed = configSchema.parse({
    url: `http://localhost:${port}`,
    listen: `127.0.0.1:${port}`,
    metrics_listen: `127.0.0.1:${freePort()}`,
    data_dir: `${directory.path}/data`,
    ...config,
  });
  const app = starting.use(await openApp(parsed, { clock: systemClock, log }));
  const { people, db } = app.services;
  const running = starting.move();

  const url = (path: string) => new URL(path, app.url);
  const addPerson: WholeSite['addPerson'] = async (username, role = 'owner') => {
    const hash = await passwordHasher().hash(GOOD_PASSWORD);
    return db.write((tx) => {
      const user = people.acts.createLocal(tx, { username, role, by: {} });
      people.passwords.set(tx, user.id, hash, systemClock.now());
      return user;
    });
  };
  return {
    app,
    log,
    port,
    url,
    addPerson,
    async signedIn(username, role) {
      await addPerson(username, role);
      const browser = new Browser();
      await browser.submit(url('/sign-in'), { username, password: GOOD_PASSWORD });
      return browser;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
