import { join } from 'node:path';

/** The database in a data directory. */
export const databasePath = (dataDir: string) => join(dataDir, 'postern.db');
