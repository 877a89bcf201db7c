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
  readonly limits: BackendLimits;
  readonly transport: StdioTransport | HttpTransport;
  /** Whether this person may use it. */
  mayUse(user: User): boolean;
}

/** Names of tools. `allow` absent: all but those denied. */
export interface ToolFilter {
  readonly allow: readonly string[] | undefined;
  readonly deny: readonly string[];
}

export interface BackendLimits {
  readonly childrenPerUser: number;
  readonly children: number;
  /** Requests that one child may have open. */
  readonly queue: number;
  readonly startTimeoutMs: number;
}

/** A program of this machine, one process for each grant. */
export interface StdioTransport {
  readonly kind: 'stdio';
  readonly argv: readonly [string, ...string[]];
  /** Values may hold placeholders. */
  readonly env: Readonly<Record<string, string>>;
  /** `exempt`: our own program, which is trusted with what it could read. */
  readonly isolation: 'auto' | 'none' | 'exempt';
  /** A directory that children may write to, one below it for each person; absent: nothing that they write stays. */
  readonly cache: string | undefined;
}

/** A server elsewhere, spoken to by HTTP. */
export interface HttpTransport {
  readonly kind: 'http';
  readonly url: string;
  /** Values may hold placeholders. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A backend whose children run here. */
export type StdioBackend = Backend & { readonly transport: StdioTransport };
