import { configurationReference } from '../src/config/reference.ts';

/** Writes `docs/configuration.md` from the schema. */
await Bun.write(`${import.meta.dir}/../docs/configuration.md`, configurationReference());
