import type { User } from '../users/model.ts';
import type { ChildProcess } from './child-process.ts';
import type { LongLine } from './line-splitter.ts';
import type { StdioBackend } from './model.ts';
import type { PlaceholderValues } from './placeholders.ts';

export interface LaunchRequest {
  readonly backend: StdioBackend;
  readonly user: User;
  readonly values: PlaceholderValues;
  readonly onLine: (line: string) => void;
  readonly onLong: (line: LongLine) => void;
}

/** Starts children: environment from nothing, isolated, recorded so that a later life of the appliance can end them. */
export interface ChildLauncher {
  /**
   * Resolves with a child that has been started; whether it speaks MCP is the caller's to find out.
   * @throws AppError `unavailable` (`mcp_start_failed`) when it cannot be started, `unauthorized` (`mcp_link_needed`)
   * when a token or a secret that it needs is not there.
   */
  launch(request: LaunchRequest): Promise<ChildProcess>;
}
