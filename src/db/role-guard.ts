import { AppError } from '../lib/app-error.ts';
import type { Seat } from './seats.ts';

/** A node that takes the role over does so when it starts. */
const RETRY_SECONDS = 5;

/** What belongs to a role, for a process that may not have it. A proxy that knows who has the role never meets the refusal. */
export interface RoleGuard {
  readonly isHere: boolean;
  /** The name of the node that has it; `undefined` while none has. */
  holder(): string | undefined;
  /** @throws AppError `misdirected` (`other_node`), which names the node, or `unavailable` (`role_vacant`). */
  require(): void;
}

export function roleGuard(role: string, seat: Pick<Seat, 'isHere' | 'holder'>): RoleGuard {
  return {
    isHere: seat.isHere,
    holder: () => seat.holder(),
    require() {
      if (!seat.isHere) throw elsewhere(role, seat.holder());
    },
  };
}

function elsewhere(role: string, node: string | undefined): AppError {
  if (node === undefined) {
    return new AppError('unavailable', 'role_vacant', `No node is the ${role} now.`, {
      retryAfterSeconds: RETRY_SECONDS,
      members: { role },
    });
  }
  const where = node === '' ? 'another node' : `the node ${node}`;
  return new AppError('misdirected', 'other_node', `This is served by ${where}, not here.`, {
    members: { role, ...(node !== '' && { node }) },
  });
}
