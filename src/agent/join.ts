import { z } from 'zod';
import { type Clock, sleep } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import { FetchError } from '../lib/safe-fetch.ts';
import type { DeviceKey } from '../signatures/ed25519-key.ts';
import { keyFingerprint } from '../signatures/fingerprint.ts';
import { signPairing } from '../signatures/pairing-proof.ts';
import { newNonce } from '../signatures/sign-request.ts';
import { backoffMs } from './backoff.ts';
import type { JoinTarget } from './join-target.ts';
import type { Pairing } from './model.ts';
import { askServer, type ServerAnswer, whyUnreachable } from './server-api.ts';
import { type ServerTime, serverTime } from './server-time.ts';

/** What a device says of itself when it joins. */
export interface DeviceAbout {
  readonly name: string;
  readonly serial: string | undefined;
  readonly platform: string;
  readonly chip: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a person has to type, and where, to let a device in. */
export interface JoinPrompt {
  readonly userCode: string;
  readonly uri: string;
  readonly fingerprint: string;
  readonly expiresInMs: number;
}

export interface JoinDeps {
  target: JoinTarget;
  about: DeviceAbout;
  key: DeviceKey;
  ca: string | undefined;
  clock: Clock;
  /** How long a server that cannot be reached is asked again: the network may not be up yet. In milliseconds. */
  patienceMs: number;
  /** Told why it waits. */
  onWait: (reason: string) => void;
  onPrompt: (prompt: JoinPrompt) => void;
}

/** What a device that begins signs in the place of a code, before it has one. */
const JOIN_PRESENTED = 'join';
const CLOCK_CODES: readonly string[] = ['proof_stale', 'proof_future'];
const RETRY = { minMs: 500, maxMs: 5_000 };
/** RFC 8628 section 3.5: how much longer to wait after `slow_down`. */
const SLOWER_MS = 5_000;

const pairedSchema = z.object({
  device: z.object({ id: z.string().min(1), handle: z.string().min(1), name: z.string() }),
  session_id: z.string().min(1),
  session_token: z.string().min(1),
  tunnel_url: z.url({ protocol: /^wss?$/ }),
});

const begunSchema = z.object({
  device_code: z.string().min(1),
  user_code: z.string().min(1),
  verification_uri: z.url(),
  interval: z.number().positive().default(5),
  expires_in: z.number().positive(),
});

/**
 * Pairs this device: with a link or a code, or by asking to be let in and waiting for somebody to type what it shows.
 * @throws CommandError with what the server said.
 */
export async function join(deps: JoinDeps): Promise<Pairing> {
  const asker = new Asker(deps);
  const { credential } = deps.target;
  const answer =
    credential === undefined ? await askToBeLetIn(asker, deps) : await redeem(asker, credential, deps);
  const { device, session_id, session_token, tunnel_url } = readBody(pairedSchema, answer);
  return {
    server: deps.target.server,
    deviceId: device.id,
    handle: device.handle,
    name: device.name,
    sessionId: session_id,
    sessionToken: session_token,
    tunnelUrl: tunnel_url,
    pairedAt: asker.time.now(),
    ended: undefined,
  };
}

async function redeem(asker: Asker, credential: string, { about }: JoinDeps): Promise<ServerAnswer> {
  // Tokens are longer than any code.
  const presented = credential.length > 32 ? { token: credential } : { code: credential };
  const answer = await asker.ask('/api/v1/pairings/redeem', credential, { ...presented, ...aboutDto(about) });
  if (answer.status >= 300) throw refusal(answer);
  return answer;
}

async function askToBeLetIn(asker: Asker, { about, key, clock, onPrompt }: JoinDeps): Promise<ServerAnswer> {
  const begun = await asker.ask('/api/v1/pairings/requests', JOIN_PRESENTED, aboutDto(about));
  if (begun.status >= 300) throw refusal(begun);
  const { device_code, user_code, verification_uri, interval, expires_in } = readBody(begunSchema, begun);
  onPrompt({
    userCode: user_code,
    uri: verification_uri,
    fingerprint: keyFingerprint(key.publicKey),
    expiresInMs: expires_in * 1_000,
  });
  let waitMs = interval * 1_000;
  for (;;) {
    await sleep(clock, waitMs);
    const answer = await asker.ask('/api/v1/pairings/requests/redeem', device_code, { device_code });
    if (answer.status < 300) return answer;
    if (answer.code === 'slow_down') waitMs += SLOWER_MS;
    else if (answer.code !== 'authorization_pending') throw refusal(answer);
  }
}

function aboutDto({ name, serial, platform, chip, labels }: DeviceAbout) {
  return {
    name,
    platform,
    labels,
    ...(serial !== undefined && { serial }),
    ...(chip !== undefined && { chip }),
  };
}

/** Asks with a proof, again and again while the server cannot be reached, and once more with the right time. */
class Asker {
  readonly time: ServerTime;
  readonly #deps: JoinDeps;
  readonly #giveUpAt: number;
  #isCorrected = false;

  constructor(deps: JoinDeps) {
    this.#deps = deps;
    this.time = serverTime(deps.clock);
    this.#giveUpAt = deps.clock.monotonicNow() + deps.patienceMs;
  }

  async ask(path: string, presented: string, body: Readonly<Record<string, unknown>>): Promise<ServerAnswer> {
    for (let failures = 0; ; failures++) {
      const answer = await this.#askOnce(path, presented, body);
      if (answer === undefined) {
        await sleep(this.#deps.clock, backoffMs(RETRY, failures));
      } else if (!this.#corrects(answer)) {
        return answer;
      }
    }
  }

  /** `undefined`: the server could not be reached, and there is time for another try. */
  async #askOnce(
    path: string,
    presented: string,
    body: Readonly<Record<string, unknown>>,
  ): Promise<ServerAnswer | undefined> {
    const { target, key } = this.#deps;
    const claim = {
      origin: target.server,
      presented,
      created: Math.floor(this.time.now() / 1_000),
      nonce: newNonce(),
    };
    const proof = {
      public_key: key.publicKey,
      created: claim.created,
      nonce: claim.nonce,
      proof: signPairing(key, claim),
    };
    try {
      const answer = await askServer(
        { method: 'POST', url: new URL(path, target.server), body: { ...body, ...proof } },
        this.#deps,
      );
      if (answer.status < 502 || answer.code !== undefined || this.#isLate()) return answer;
      this.#deps.onWait(`the server answers ${answer.status}`);
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      if (this.#isLate())
        throw new CommandError(`${target.server}: ${whyUnreachable(error)}`, 1, { cause: error });
      this.#deps.onWait(whyUnreachable(error));
    }
    return undefined;
  }

  #isLate(): boolean {
    return this.#deps.clock.monotonicNow() >= this.#giveUpAt;
  }

  /** A clock that is wrong is corrected once. */
  #corrects({ code, serverMs }: ServerAnswer): boolean {
    if (this.#isCorrected || code === undefined || !CLOCK_CODES.includes(code) || serverMs === undefined)
      return false;
    this.#isCorrected = this.time.correct(serverMs);
    return this.#isCorrected;
  }
}

function readBody<T extends z.ZodType>(schema: T, { body }: ServerAnswer): z.output<T> {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw new CommandError('the server answered something else than a Postern does');
  return parsed.data;
}

function refusal({ status, code, detail }: ServerAnswer): CommandError {
  if (code === undefined)
    return new CommandError(`the server answers ${status}: that is no Postern, or one without devices`);
  return new CommandError(`${detail ?? 'the server refused'} (${code})`);
}
