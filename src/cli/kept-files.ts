import { PREVIOUS_SECRETS_FILE, SECRET_FILE } from '../config/secret-files.ts';
import { SELF_SIGNED_FILE } from '../http/tls-self-signed.ts';

/** Files of a data directory that belong to the appliance as much as its database does, and go with it into a backup. */
export const KEPT_FILES: readonly string[] = [SECRET_FILE, PREVIOUS_SECRETS_FILE, SELF_SIGNED_FILE];
