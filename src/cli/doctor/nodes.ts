import type { ServerStatus } from '../../control/any-server.ts';
import { type Check, type Finding, findingsAbout } from './finding.ts';

const { ok, warn } = findingsAbout('nodes');

/** What only one of several processes can do, and what does not work while none does. */
const DEPENDS: readonly (readonly [role: string, what: string])[] = [
  ['broker', '/mcp'],
  ['hub', 'tunnels, /d and hosts of devices'],
];

/** Which processes share the data directory, and whether each role is somebody's. */
export const checkNodes: Check = ({ config, servers = [] }): Finding[] => {
  if (config.redis.url === undefined || servers.length === 0) return [];
  const vacant = DEPENDS.filter(([role]) => !servers.some(({ roles }) => roles.includes(role)));
  return [
    ok(servers.map(describe).toSorted().join(', ')),
    ...vacant.map(([role, what]) =>
      warn(`none is ${role}: ${what} answer 503; name it in roles of one of them`),
    ),
  ];
};

const describe = ({ node, roles }: ServerStatus) => {
  if (node === '') return 'one that does not answer';
  return roles.length === 0 ? node : `${node} (${roles.join(', ')})`;
};
