import type { z } from 'zod';

/** Enough to mend a request by, without making an essay of a hostile one. */
const MOST_TOLD = 5;

/**
 * What is wrong with a value, in the words of its schema; nothing that was sent in is repeated.
 * It relies on schemas whose objects are strict and hold no records: then every key of a path is the schema's own.
 */
export function shortcomings(error: z.ZodError): string {
  const told = error.issues.slice(0, MOST_TOLD).map(shortcoming);
  const untold = error.issues.length - told.length;
  return [...told, ...(untold > 0 ? [`and ${untold} more`] : [])].join('; ');
}

function shortcoming({ path, ...issue }: z.core.$ZodIssue): string {
  // The library's own message for these quotes the keys, which the caller chose.
  const complaint =
    issue.code === 'unrecognized_keys' ? 'it has a key that is not known here' : issue.message;
  return path.length === 0 ? complaint : `${path.map(String).join('.')}: ${complaint}`;
}
