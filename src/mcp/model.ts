import type { User } from '../users/model.ts';

/** A configured MCP server, compiled from `[[mcp]]`. */
export interface Backend {
  readonly name: string;
  /** The protected resource of RFC 9728: `<url>/mcp/<name>`. */
  readonly resource: string;
  /** The one scope that it has: `mcp:<name>`. */
  readonly scope: string;
  /** Whose upstream tokens it is given. */
  readonly provider: string | undefined;
  /** Whether each protocol session has a child of its own, or all of a grant share one. */
  readonly sharing: 'grant' | 'session';
  readonly tools: ToolFilter;
  /** The largest message either way, in bytes. */
  readonly messageBytes: number;
  /** Whether this person may use it. */
  mayUse(user: User): boolean;
}

/** Names of tools. `allow` absent: all but those denied. */
export interface ToolFilter {
  readonly allow: readonly string[] | undefined;
  readonly deny: readonly string[];
}
