import type { Clock } from '../lib/clock.ts';
import { addressKey, rateLimiter } from './rate-limit.ts';

const WINDOW_MS = 3_600_000;
/** Refusals that the audit keeps of one address, and of all together: rows stay for a year, and strangers cause them. */
const PER_ADDRESS = 300;
const IN_ALL = 3_000;
const MAX_ADDRESSES = 10_000;

/** Whether one more refusal of an address may be written, so that nobody fills the disk from outside. */
export function auditBudget(clock: Clock): (refusal: { address?: string | undefined }) => boolean {
  const addresses = rateLimiter({ clock, limit: PER_ADDRESS, windowMs: WINDOW_MS, maxKeys: MAX_ADDRESSES });
  const all = rateLimiter({ clock, limit: IN_ALL, windowMs: WINDOW_MS, maxKeys: 1 });
  return ({ address = '' }) => addresses.take(addressKey(address)).ok && all.take('').ok;
}
