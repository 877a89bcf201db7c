import type { Path } from '../raw-config.ts';
import type { Config } from '../schema.ts';

/** Values that are each fine and do not go together. */
export interface Conflict {
  /** The value to change; an index counts in the parsed configuration. */
  readonly path: Path;
  /** The others it clashes with. Nothing is said when one of them is wrong in itself. */
  readonly others: readonly Path[];
  readonly expected: string;
}

/** Looks at a configuration whose values are each fine. */
export type Check = (config: Config) => Iterable<Conflict>;
