import type { z } from 'zod';
import type { createdPairingDto, pairedDto, redeemDto } from '../../src/devices/dto-pairings.ts';
import type { DeviceId } from '../../src/devices/model.ts';
import type { SessionId, SessionToken } from '../../src/sessions/model.ts';
import { type DeviceKey, newDeviceKey } from '../../src/signatures/ed25519-key.ts';
import { signPairing } from '../../src/signatures/pairing-proof.ts';
import { newNonce, signRequest } from '../../src/signatures/sign-request.ts';
import type { CallOptions, SignedIn, TemporaryApi } from './api.ts';
import { TEST_ORIGIN } from './ledger.ts';

export type Redemption = z.input<typeof redeemDto>;
export type CreatedPairing = z.output<typeof createdPairingDto>;
export type PairedAnswer = z.output<typeof pairedDto>;

/** A device that a person paired over the API. */
export interface TestDevice {
  readonly id: DeviceId;
  readonly handle: string;
  readonly key: DeviceKey;
  readonly sessionId: SessionId;
  readonly token: SessionToken;
}

/** A pairing code of this person. */
export async function makePairing(api: TemporaryApi, { token }: SignedIn): Promise<CreatedPairing> {
  const response = await api.call('/api/v1/pairings', { method: 'POST', cookie: token });
  if (response.status !== 201) throw new Error(`no code: ${await response.text()}`);
  return (await response.json()) as CreatedPairing;
}

/** What a device sends to redeem, with a fresh proof. */
export function redemptionOf(
  api: TemporaryApi,
  presented: { code: string } | { token: string },
  key: DeviceKey,
  more: Partial<Redemption> = {},
): Redemption {
  const created = Math.floor(api.base.clock.now() / 1_000);
  return {
    ...presented,
    name: 'Kitchen Pi',
    ...proofOf(Object.values(presented)[0] ?? '', key, created),
    ...more,
  };
}

/** The members of a proof over what is presented. */
export function proofOf(presented: string, key: DeviceKey, created: number, origin = TEST_ORIGIN) {
  const claim = { origin, presented, created, nonce: newNonce() };
  return {
    public_key: key.publicKey as string,
    created,
    nonce: claim.nonce,
    proof: signPairing(key, claim),
  };
}

export function redeemAt(api: TemporaryApi, json: unknown, more: CallOptions = {}): Promise<Response> {
  return api.call('/api/v1/pairings/redeem', { method: 'POST', json, ...more });
}

/** Makes a code and pairs a device with it. */
export async function pairDevice(
  api: TemporaryApi,
  by: SignedIn,
  about: Partial<Redemption> = {},
  key = newDeviceKey(),
): Promise<TestDevice> {
  const { token } = await makePairing(api, by);
  const response = await redeemAt(api, redemptionOf(api, { token }, key, about));
  if (response.status !== 201) throw new Error(`not paired: ${await response.text()}`);
  return toTestDevice((await response.json()) as PairedAnswer, key);
}

export function toTestDevice(
  { device, session_id, session_token }: PairedAnswer,
  key: DeviceKey,
): TestDevice {
  return {
    id: device.id as DeviceId,
    handle: device.handle,
    key,
    sessionId: session_id as SessionId,
    token: session_token as SessionToken,
  };
}

/** A request that the device signs. */
export function callSigned(
  api: TemporaryApi,
  { key, sessionId }: Pick<TestDevice, 'key' | 'sessionId'>,
  method: string,
  path: string,
  json?: unknown,
): Promise<Response> {
  const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
  const url = new URL(path, TEST_ORIGIN);
  const headers = signRequest(
    { method, url, ...(body && { body }) },
    { key, sessionId, now: api.base.clock.now() },
  );
  return api.call(path, { method, ...(json !== undefined && { json }), headers: { ...headers } });
}

/** `403 pairing_refused`. */
export async function codeOf(response: Response): Promise<string> {
  const { code } = (await response.json()) as { code: string };
  return `${response.status} ${code}`;
}
