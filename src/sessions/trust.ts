/** Until when what is in memory may be believed, in monotonic milliseconds. */
export interface Trust {
  readonly until: number;
}

/** Where this process alone changes sessions, memory knows all there is to know. */
export const ALWAYS: Trust = { until: Infinity };
/** Before anything was heard, or after something may have been missed. */
export const NEVER = -Infinity;
