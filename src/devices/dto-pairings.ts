import { z } from 'zod';
import { instantText } from '../lib/instant.ts';
import { showTypedCode } from '../lib/typed-code.ts';
import { aboutFields, ownDeviceDto, toOwnDevice } from './dto.ts';
import type { DeviceAbout, Paired, Pairing, PairingId } from './model.ts';
import type { MadePairing } from './pairings.ts';
import type { Proof } from './proof.ts';
import type { Redemption } from './redeem.ts';

/** Longer than any key or signature; what they are is judged later. */
const MAX_TEXT = 1_000;

export const pairingId = z
  .string()
  .regex(/^pair_[a-z2-7]{26}$/)
  .transform((id) => id as PairingId)
  .describe('id of a pairing code');

const pairingFields = {
  id: z.string(),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
};

export const pairingListDto = z
  .strictObject({ pairings: z.array(z.strictObject(pairingFields)).describe('oldest first') })
  .meta({ id: 'PairingList', description: 'Codes that a device could still redeem, without their secrets.' });

export const createdPairingDto = z
  .strictObject({
    ...pairingFields,
    code: z.string().describe('to be typed at the device; shown this once'),
    token: z.string().describe('the same for programs and QR codes; shown this once'),
    link: z.string().describe('a page that says what to do, with the token as its fragment'),
    qr_svg: z.string().describe('the link as a QR code, an SVG image'),
  })
  .meta({ id: 'CreatedPairing' });

/** What shows that a device holds a key. */
export const proofFields = {
  public_key: z
    .string({ error: 'a public key' })
    .max(MAX_TEXT, { error: 'a public key' })
    .describe('Ed25519, base64url of its 32 bytes without padding'),
  created: z
    .int({ error: 'a whole number of seconds since 1970' })
    .min(0, { error: 'a whole number of seconds since 1970' })
    .describe('when the proof was made, in seconds since 1970; at most 60 s ago, and 30 s ahead'),
  nonce: z
    .string({ error: 'a nonce' })
    .regex(/^[A-Za-z0-9+/=_-]{16,88}$/, { error: '16 to 88 characters of base64 or base64url' })
    .describe('another one for each proof'),
  proof: z
    .string({ error: 'a signature' })
    .max(MAX_TEXT, { error: 'a signature' })
    .describe(
      'base64url of the signature by that key over the lines `postern-pair-v1`, the origin of this appliance, what is presented, `created` and `nonce`',
    ),
};

export const redeemDto = z
  .strictObject(
    {
      code: z.string({ error: 'a code' }).max(MAX_TEXT, { error: 'a code' }).optional(),
      token: z.string({ error: 'a token' }).max(MAX_TEXT, { error: 'a token' }).optional(),
      ...aboutFields,
      ...proofFields,
    },
    { error: 'an object' },
  )
  .refine(({ code, token }) => (code === undefined) !== (token === undefined), {
    error: 'either a code or a token',
  })
  .meta({ id: 'Redemption', description: 'Either a code or a token.' });

export const pairedDto = z
  .strictObject({
    device: ownDeviceDto,
    session_id: z.string().describe('what the device signs with names this as `keyid`'),
    session_token: z.string().describe('shown this once; enough for what only reads'),
    tunnel_url: z.string(),
  })
  .meta({ id: 'Paired' });

export function toCreatedPairing(made: MadePairing, qr: string): z.input<typeof createdPairingDto> {
  const { code, token, link } = made;
  return { ...toPairing(made.pairing), code: showTypedCode(code), token, link, qr_svg: qr };
}

export function toPairingList(pairings: readonly Pairing[]): z.input<typeof pairingListDto> {
  return { pairings: pairings.map(toPairing) };
}

function toPairing({ id, createdAt, expiresAt }: Pairing) {
  return { id, created_at: instantText(createdAt), expires_at: instantText(expiresAt) };
}

export function toPaired({ device, token }: Paired, tunnelUrl: string): z.input<typeof pairedDto> {
  return {
    device: toOwnDevice(device, tunnelUrl),
    session_id: device.sessionId,
    session_token: token,
    tunnel_url: tunnelUrl,
  };
}

export function readProof(body: z.output<z.ZodObject<typeof proofFields>>): Proof {
  const { public_key: publicKey, created, nonce, proof } = body;
  return { publicKey, created, nonce, proof };
}

export function readAbout(body: z.output<z.ZodObject<typeof aboutFields>>): DeviceAbout {
  const { name, serial, platform, chip, labels } = body;
  return { name, serial, platform, chip, labels };
}

export function readRedemption(body: z.output<typeof redeemDto>): Redemption {
  const { code = '', token } = body;
  return {
    presented: token === undefined ? { code } : { token },
    proof: readProof(body),
    about: readAbout(body),
  };
}
