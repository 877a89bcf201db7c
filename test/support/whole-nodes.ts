import { type App, openApp } from '../../src/app.ts';
import { configSchema } from '../../src/config/schema.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { User, UserRole } from '../../src/users/model.ts';
import { passwordHasher } from '../../src/users/password-hash.ts';
import { Browser } from './browser.ts';
import { temporaryDirectory } from './database.ts';
import { freePort } from './free-port.ts';
import { GOOD_PASSWORD } from './local-accounts.ts';
import { startRedis, type TestRedis } from './redis-server.ts';
import { startRoundRobin } from './round-robin.ts';
import { type RecordedLog, recordedLog } from './silent-log.ts';

/** One of several appliances in this process. */
export interface WholeNode {
  readonly app: App;
  readonly log: RecordedLog;
  readonly port: number;
  /** What it answers itself, past the balancer, to a program with these headers. */
  ask(path: string, init?: RequestInit): Promise<Response>;
}

/** Two appliances in this process on one data directory, with a real Redis, behind a balancer. */
export interface WholeNodes extends AsyncDisposable {
  /** It has both roles, and devices dial it: the balancer carries no WebSockets. */
  readonly one: WholeNode;
  readonly two: WholeNode;
  readonly redis: TestRedis;
  /** Of the balancer, which `url` names. */
  readonly port: number;
  url(path: string): URL;
  addPerson(username: string, role?: UserRole): Promise<User>;
  /** Signs somebody in through the balancer. */
  signIn(username: string): Promise<Browser>;
  /** A browser of somebody new, signed in. */
  signedIn(username: string, role?: UserRole): Promise<Browser>;
}

export async function wholeNodes(config: Record<string, unknown> = {}): Promise<WholeNodes> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(temporaryDirectory());
  const redis = starting.use(await startRedis());
  const [port, first, second] = [freePort(), freePort(), freePort()];
  const open = async (name: string, own: number, roles: string[]): Promise<WholeNode> => {
    const log = recordedLog();
    const parsed = configSchema.parse({
      url: `http://localhost:${port}`,
      listen: `127.0.0.1:${own}`,
      metrics_listen: `127.0.0.1:${freePort()}`,
      data_dir: `${directory.path}/data`,
      node: name,
      roles,
      redis: { url: redis.url },
      ...config,
      devices: { relay_url: `http://localhost:${first}`, ...Object(config['devices']) },
    });
    const app = starting.use(await openApp(parsed, { clock: systemClock, log }));
    const ask = (path: string, init: RequestInit = {}) => {
      const headers = new Headers({ host: `localhost:${port}` });
      for (const [header, value] of new Headers(init.headers)) headers.set(header, value);
      return fetch(`http://127.0.0.1:${own}${path}`, { redirect: 'manual', ...init, headers });
    };
    return { app, log, port: own, ask };
  };
  const one = await open('one', first, ['broker', 'hub']);
  const two = await open('two', second, []);
  starting.use(startRoundRobin([first, second], port));
  const running = starting.move();

  const { people, db } = one.app.services;
  const url = (path: string) => new URL(path, one.app.url);
  const addPerson: WholeNodes['addPerson'] = async (username, role = 'owner') => {
    const hash = await passwordHasher().hash(GOOD_PASSWORD);
    return db.write((tx) => {
      const user = people.acts.createLocal(tx, { username, role, by: {} });
      people.passwords.set(tx, user.id, hash, systemClock.now());
      return user;
    });
  };
  const signIn: WholeNodes['signIn'] = async (username) => {
    const browser = new Browser();
    await browser.submit(url('/sign-in'), { username, password: GOOD_PASSWORD });
    return browser;
  };
  return {
    one,
    two,
    redis,
    port,
    url,
    addPerson,
    signIn,
    async signedIn(username, role) {
      await addPerson(username, role);
      return signIn(username);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
