/**
 * An instant this far ahead comes from a clock that leapt and was set right again, in seconds: the time mark distrusts such a leap too
 * (`db/time-mark.ts`).
 */
export const LEAP_SECONDS = 3_600;
