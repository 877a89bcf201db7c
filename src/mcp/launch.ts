import type { User } from '../users/model.ts';
import type { Backend } from './model.ts';
import type { Wire } from './wire.ts';

/** For whom a backend is started. */
export interface LaunchRequest {
  readonly backend: Backend;
  readonly user: User;
  /** The upstream access token to give to it, where it has a provider. */
  readonly accessToken: string | undefined;
}

/**
 * Starts the process of a backend, or sets up the way to a remote one; it has not said anything yet.
 * @throws AppError when something that it needs is missing (a pasted secret); anything else when it cannot be started.
 */
export type Launch = (request: LaunchRequest) => Promise<Wire>;
