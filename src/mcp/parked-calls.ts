import type { Clock } from '../lib/clock.ts';
import { dueQueue } from './due-queue.ts';
import { INVALID_PARAMS, JsonRpcError } from './json-rpc.ts';
import type { ModernExchange } from './modern-exchange.ts';
import type { RequestStates, StateBinding } from './request-state.ts';

export interface ParkedCallsDeps {
  states: RequestStates;
  clock: Clock;
  /** How long a call waits for its client. */
  timeoutMs: number;
  /** How many calls of one grant may wait. */
  maxPerGrant: number;
}

/** Calls whose client has been asked something and has not come back yet. */
export interface ParkedCalls {
  /** The `requestState` with which the client comes back. @throws JsonRpcError when too many wait already. */
  park(exchange: ModernExchange): string;
  /**
   * The call that waits; nobody finds it a second time.
   * @throws JsonRpcError `INVALID_PARAMS` unless it is the caller's own, and the one that is meant.
   */
  take(state: string, binding: StateBinding, isMeant: (exchange: ModernExchange) => boolean): ModernExchange;
  readonly count: number;
}

interface Parked {
  readonly nonce: string;
  readonly exchange: ModernExchange;
}

export function parkedCalls({ states, clock, timeoutMs, maxPerGrant }: ParkedCallsDeps): ParkedCalls {
  const byNonce = new Map<string, Parked>();
  const perGrant = new Map<string, number>();
  const count = (sessionId: string, by: number) => {
    const now = (perGrant.get(sessionId) ?? 0) + by;
    if (now > 0) perGrant.set(sessionId, now);
    else perGrant.delete(sessionId);
  };
  const remove = (parked: Parked) => {
    if (!byNonce.delete(parked.nonce)) return;
    count(parked.exchange.binding.sessionId, -1);
    deadlines.delete(parked);
  };
  const deadlines = dueQueue<Parked>(clock, timeoutMs, (parked) => {
    remove(parked);
    parked.exchange.abandon();
  });

  return {
    park(exchange) {
      const { binding, generation } = exchange;
      if ((perGrant.get(binding.sessionId) ?? 0) >= maxPerGrant) throw tooMany();
      const { state, nonce } = states.issue(binding, { generation, issuedAt: clock.now() });
      const parked = { nonce, exchange };
      byNonce.set(nonce, parked);
      count(binding.sessionId, 1);
      deadlines.add(parked);
      exchange.whenOver(() => remove(parked));
      return state;
    },
    take(state, binding, isMeant) {
      const found = states.verify(state, binding);
      const parked = found === undefined ? undefined : byNonce.get(found.nonce);
      if (parked === undefined || parked.exchange.generation !== found?.generation) {
        throw unknownState();
      }
      if (!isMeant(parked.exchange)) throw unknownState();
      remove(parked);
      return parked.exchange;
    },
    get count() {
      return byNonce.size;
    },
  };
}

/** Tampered with, used already, too old, another's, or from before a restart: all the same outside. */
export const unknownState = () =>
  new JsonRpcError(INVALID_PARAMS, 'This "requestState" is not valid, or not any more. Begin again.');

const tooMany = () => new JsonRpcError(INVALID_PARAMS, 'Too many calls of this client wait for an answer.');
