/** Counts what may be open at one time. */
export interface Slots {
  /** `false`: there is no room. */
  take(): boolean;
  give(): void;
}

/**
 * The runtime sends at most 256 requests at a time, and the rest wait without an end. What remote MCP servers keep open must
 * leave room for everything else that the appliance asks for: providers, tokens, documents of clients.
 */
export interface OutboundBudget {
  readonly calls: Slots;
  /** Streams on which servers say what belongs to no call; they stay open for as long as the connection does. */
  readonly streams: Slots;
}

const MAX_CALLS = 128;
const MAX_STREAMS = 96;

export function slots(max: number): Slots {
  let taken = 0;
  return {
    take() {
      if (taken >= max) return false;
      taken++;
      return true;
    },
    give() {
      taken--;
    },
  };
}

export function outboundBudget(): OutboundBudget {
  return { calls: slots(MAX_CALLS), streams: slots(MAX_STREAMS) };
}
