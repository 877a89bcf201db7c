import type { Seat } from '../db/seats.ts';
import { AppError } from '../lib/app-error.ts';

/** A node that takes the role over does so when it starts. */
const RETRY_SECONDS = 5;

/**
 * Why what belongs to a role is refused by this process; `undefined` when the role is done here.
 * A proxy that sends such requests to the node named here has no use for this answer.
 */
export function refusalElsewhere(role: string, seat: Pick<Seat, 'isHere' | 'holder'>): AppError | undefined {
  return seat.isHere ? undefined : elsewhere(role, seat.holder());
}

function elsewhere(role: string, node: string | undefined): AppError {
  if (node === undefined) {
    return new AppError('unavailable', 'role_vacant', `No node is ${role} now.`, {
      retryAfterSeconds: RETRY_SECONDS,
      members: { role },
    });
  }
  const where = node === '' ? 'another node' : `the node ${node}`;
  return new AppError('misdirected', 'other_node', `This is served by ${where}, not here.`, {
    members: { role, ...(node !== '' && { node }) },
  });
}
