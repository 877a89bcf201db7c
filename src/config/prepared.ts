import type { KnownEntry } from './known-keys.ts';

/**
 * What the schema says, worked out when the file is compiled (`build.ts`), so that a start makes schemas of those tables
 * alone that it is given. From source there is none of it, and the schema is asked.
 */
declare const POSTERN_USUAL_CONFIG: Readonly<Record<string, unknown>> | undefined;
declare const POSTERN_KNOWN_ENTRIES: readonly KnownEntry[] | undefined;

/** The whole configuration as it is when nothing is given. */
export const usualConfig = typeof POSTERN_USUAL_CONFIG === 'undefined' ? undefined : POSTERN_USUAL_CONFIG;

/** Every table and key. A function, so that hundreds of objects are made only where somebody asks. */
export const preparedEntries = () =>
  typeof POSTERN_KNOWN_ENTRIES === 'undefined' ? undefined : POSTERN_KNOWN_ENTRIES;
