import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { UserId } from '../users/model.ts';
import type { Launch } from './launch.ts';
import type { ChildLauncher } from './launcher.ts';
import type { Backend, HttpTransport, StdioBackend } from './model.ts';
import { outboundBudget } from './outbound-budget.ts';
import type { PlaceholderValues } from './placeholders.ts';
import { stdioWire } from './stdio-wire.ts';

export interface LaunchBackendDeps {
  children: ChildLauncher;
  /** A secret that a person pasted. */
  secret: (userId: UserId, name: string) => string | undefined;
  clock: Clock;
  log: Logger;
}

/** Starts a child for a backend of this machine, and sets up HTTP for one elsewhere. */
export function backendLauncher({ children, secret, clock, log }: LaunchBackendDeps): Launch {
  const budget = outboundBudget();
  return async ({ backend, user, accessToken }) => {
    const values: PlaceholderValues = { user, accessToken, secret: (name) => secret(user.id, name) };
    if (isStdio(backend)) {
      return stdioWire((output) => children.launch({ backend, user, values, ...output }));
    }
    if (!isHttp(backend)) throw new Error(`backend ${backend.name} has no transport`);
    const { remoteWire } = await import('./remote-wire.ts');
    return remoteWire({ backend, values, budget, clock, log });
  };
}

function isStdio(backend: Backend): backend is StdioBackend {
  return backend.transport.kind === 'stdio';
}

function isHttp(backend: Backend): backend is Backend & { transport: HttpTransport } {
  return backend.transport.kind === 'http';
}
