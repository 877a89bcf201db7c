import type { Branded } from '../lib/brand.ts';

/** An Ed25519 public key that was judged: its 32 bytes in base64url without padding, 43 characters. */
export type DevicePublicKey = Branded<string, 'DevicePublicKey'>;
