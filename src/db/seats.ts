import type { Clock } from '../lib/clock.ts';
import { roleHolder, takeRole } from './roles.ts';

/** Where a role is done, as seen from this process. */
export interface Seat extends Disposable {
  /** Whether it is done here. */
  readonly isHere: boolean;
  /** What the node is called that does it; `undefined` while none does. */
  holder(): string | undefined;
}

/** What a process needs to know of itself. */
export interface SeatDeps {
  dataDir: string;
  /** What this process is called. */
  node: string;
  clock: Clock;
}

/** For so long one look at the file is believed, in milliseconds. */
const BELIEVED_MS = 1_000;

/** The seat of a process that has the data directory alone. */
export const onlySeat = ({ node }: Pick<SeatDeps, 'node'>): Seat => ({
  isHere: true,
  holder: () => node,
  [Symbol.dispose]: () => undefined,
});

/** Takes a role for this process until it is disposed of. @throws RoleTaken while another process has it. */
export function seatHere(role: string, { dataDir, node }: SeatDeps): Seat {
  const held = takeRole(dataDir, role, node);
  return { isHere: true, holder: () => node, [Symbol.dispose]: () => held[Symbol.dispose]() };
}

/** A role that is for another process to take. */
export function seatElsewhere(role: string, { dataDir, clock }: SeatDeps): Seat {
  let seen: { readonly name: string | undefined; readonly at: number } | undefined;
  return {
    isHere: false,
    holder() {
      const now = clock.monotonicNow();
      if (seen === undefined || now - seen.at >= BELIEVED_MS) {
        seen = { name: roleHolder(dataDir, role), at: now };
      }
      return seen.name;
    },
    [Symbol.dispose]: () => undefined,
  };
}
