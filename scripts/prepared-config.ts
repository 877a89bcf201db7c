import { knownEntries } from '../src/config/known-keys.ts';
import { configSchema } from '../src/config/schema.ts';

/** What `src/config/prepared.ts` finds in the compiled file, as constants of the bundler. */
export function preparedConfig(): Record<string, string> {
  return {
    POSTERN_USUAL_CONFIG: JSON.stringify(configSchema.parse({})),
    POSTERN_KNOWN_ENTRIES: JSON.stringify(knownEntries()),
  };
}
