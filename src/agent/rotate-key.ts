import { z } from 'zod';
import { CommandError } from '../lib/command-error.ts';
import { FetchError } from '../lib/safe-fetch.ts';
import type { DeviceKey } from '../signatures/ed25519-key.ts';
import { signPairing } from '../signatures/pairing-proof.ts';
import { newNonce } from '../signatures/sign-request.ts';
import type { Pairing } from './model.ts';
import { askSigned, type ServerAnswer, type ServerDeps, whyUnreachable } from './server-api.ts';
import { serverTime } from './server-time.ts';
import type { AgentState } from './state.ts';

export interface RotateKeyDeps extends ServerDeps {
  state: AgentState;
  pairing: Pairing;
}

const PATH = '/api/v1/device/key';
const rotatedSchema = z.object({ session_token: z.string().min(1) });

/**
 * Puts a new key in the place of the one so far, here and at the server. The new one is on the disk before it is sent: whatever is lost on the
 * way, one of the two keys is good, and the next try finds out which.
 * @throws CommandError
 */
export async function rotateKey(deps: RotateKeyDeps): Promise<void> {
  const { state, pairing } = deps;
  const next = state.nextKey();
  const ask = asker(deps, next);
  let answer = await ask(state.key());
  // An earlier try got through, and its answer was lost.
  if (answer.code === 'signature_invalid') answer = await ask(next);
  const taken = rotatedSchema.safeParse(answer.body);
  if (answer.status >= 300 || !taken.success) {
    throw new CommandError(
      `${answer.detail ?? `the server answers ${answer.status}`}; the key so far is still the one`,
    );
  }
  state.takeNextKey();
  state.writePairing({ ...pairing, sessionToken: taken.data.session_token });
}

/** Sends the new key with its proof, signed with a key; once more where the clock was wrong. */
function asker({ pairing, clock, ca }: RotateKeyDeps, next: DeviceKey) {
  const time = serverTime(clock);
  const send = (key: DeviceKey) => {
    const claim = {
      origin: pairing.server,
      presented: pairing.sessionId,
      created: Math.floor(time.now() / 1_000),
      nonce: newNonce(),
    };
    const { created, nonce } = claim;
    const body = { public_key: next.publicKey, created, nonce, proof: signPairing(next, claim) };
    return askSigned('POST', PATH, { pairing, key, time, clock, ca }, body);
  };
  return async (key: DeviceKey): Promise<ServerAnswer> => {
    try {
      const answer = await send(key);
      const isLate = answer.status === 401 && answer.serverMs !== undefined && time.correct(answer.serverMs);
      return isLate ? await send(key) : answer;
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      throw new CommandError(`${pairing.server}: ${whyUnreachable(error)}; try again`, 1, { cause: error });
    }
  };
}
