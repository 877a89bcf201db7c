import { startRedis, type TestRedis } from './redis-server.ts';
import { until } from './until.ts';

/** Two real servers, one of which copies the other, and may have to take its place. */
export interface RedisPair extends AsyncDisposable {
  /** The one that clients are sent to. */
  readonly primary: TestRedis;
  /** Resolves once the other one holds all that the primary does. */
  inStep(): Promise<void>;
  /**
   * The other one stops copying, `meanwhile` passes, and it becomes the primary with what it had: what was written
   * meanwhile is gone. The old one then copies the new one. `moved` is called at the instant of the change.
   */
  failOver(meanwhile: () => Promise<void>, moved: () => void): Promise<void>;
}

/** A copy begins at once; the default waits five seconds for more that want one. */
const ARGUMENTS = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];

export async function startRedisPair(): Promise<RedisPair> {
  await using starting = new AsyncDisposableStack();
  let primary = starting.use(await startRedis({ args: ARGUMENTS }));
  let standby = starting.use(await startRedis({ args: ARGUMENTS }));
  const copy = () => standby.client().replicaof('127.0.0.1', primary.port);
  const inStep = () =>
    until('the standby is in step', async () => {
      const [theirs, own] = await Promise.all([offsetOf(primary), offsetOf(standby)]);
      return own.isUp && own.id === theirs.id;
    });
  await copy();
  await inStep();
  const running = starting.move();
  return {
    get primary() {
      return primary;
    },
    inStep,
    async failOver(meanwhile, moved) {
      await inStep();
      await standby.client().replicaof('NO', 'ONE');
      await meanwhile();
      [primary, standby] = [standby, primary];
      moved();
      await copy();
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function offsetOf(server: TestRedis): Promise<{ id: string; isUp: boolean }> {
  const info = await server.client().info('replication');
  return {
    id: /^master_replid:(\w+)/m.exec(info)?.[1] ?? '',
    isUp: /^master_link_status:up/m.test(info),
  };
}
