import { SECRET_FILE } from '../config/secrets.ts';

/** Files of a data directory that belong to the appliance as much as its database does, and go with it into a backup. */
export const KEPT_FILES: readonly string[] = [SECRET_FILE];
