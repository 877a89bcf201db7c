import { hostname } from 'node:os';
import { nodeNameFault } from './faults-node.ts';
import { checkedText, choice, list } from './values.ts';

/** What only one node at a time can do for all of them, until requests are handed on between nodes. */
const ROLES = ['broker', 'hub'] as const;
export type Role = (typeof ROLES)[number];

/** Keys at the top of the file that tell nodes apart. */
export const nodeKeys = () => ({
  node: checkedText('a name of letters, digits, dots, hyphens and underscores', nodeNameFault)
    .optional()
    .describe(
      'what this process is called among several (with `redis.url`), in logs and in answers that name it to everybody; by default the name of the host',
    ),
  roles: list(choice(ROLES), 'a list of "broker" and "hub"')
    .default([...ROLES])
    .describe(
      'what this process does for all of them: `broker` runs MCP servers and answers `/mcp`, `hub` holds the tunnels of devices; each belongs to one process at a time, and without `redis.url` to this one',
    ),
});

/** What a process is called. */
export const nodeName = ({ node }: { node?: string | undefined }): string => node ?? hostname();
