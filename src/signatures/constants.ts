/** Names what a signed request is for; a signature made for anything else is not one (RFC 9421 section 2.3, `tag`). */
export const REQUEST_TAG = 'postern-request-v1';

/** The first line of what a device signs to pair. */
export const PAIRING_CONTEXT = 'postern-pair-v1';

/** How old a signature may be when it arrives, in seconds. */
export const MAX_AGE_SECONDS = 60;

/** How far ahead of ours the clock of a device may be, in seconds. */
export const MAX_AHEAD_SECONDS = 30;

/** An Ed25519 key, and half a signature, in bytes (RFC 8032 section 5.1). */
export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
