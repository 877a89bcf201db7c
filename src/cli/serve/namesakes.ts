import type { Config } from '../../config/schema.ts';
import { nodeName } from '../../config/schema-node.ts';
import { type ControlPlace, runningServers } from '../../control/any-server.ts';
import type { Logger } from '../../lib/log.ts';

/** Says when another process of the data directory has the name of this one: what names a node would then lead nowhere. */
export async function warnOfNamesakes(config: Config, place: ControlPlace, log: Logger): Promise<void> {
  if (config.redis.url === undefined) return;
  const node = nodeName(config);
  const servers = await runningServers(place);
  if (servers.some(({ status }) => status.node === node)) {
    log.warn('another process has the name of this one; give each of them a `node` of its own', { node });
  }
}
