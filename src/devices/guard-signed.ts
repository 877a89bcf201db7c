import type { AuditRecorder } from '../audit/recorder.ts';
import type { ApiAccess } from '../http/api-route.ts';
import { bearerToken } from '../http/bearer.ts';
import { keepBody, readBody } from '../http/body.ts';
import { requestHost } from '../http/host.ts';
import { rateLimiter } from '../http/rate-limit.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { DEVICE_AUDIENCE } from '../sessions/audience.ts';
import type { DeviceAuthentication, Ledger } from '../sessions/ledger.ts';
import type { RecognisedSession, SessionId } from '../sessions/model.ts';
import { fitsDigests } from '../signatures/content-digest.ts';
import type { DevicePublicKey } from '../signatures/model.ts';
import type { RequestTarget } from '../signatures/signature-base.ts';
import {
  ageRefusal,
  isSignedBy,
  readSignedRequest,
  type SignatureWindow,
  type SignedRequest,
} from '../signatures/verify-request.ts';
import type { User } from '../users/model.ts';
import { toldTime } from './errors.ts';
import { SIGNATURE_REFUSALS, type SignatureRefusalReason, signatureRefusal } from './guard-refusals.ts';
import type { SignatureMetrics } from './metrics-signatures.ts';
import type { NonceVerdict } from './nonces.ts';
import type { Nonces } from './shared-nonces.ts';
import type { SignatureMarks } from './signature-marks.ts';

/** The device that asks. */
export interface DeviceCaller {
  readonly session: RecognisedSession;
  /** The person it belongs to. */
  readonly user: User;
  readonly deviceId: string;
  /** Base64url of the 32 bytes. */
  readonly publicKey: string;
}

export interface DeviceGuardDeps {
  ledger: Pick<Ledger, 'authenticate' | 'recogniseDevice' | 'deviceSigned'>;
  nonces: Nonces;
  marks: Pick<SignatureMarks, 'taken'>;
  /** The origin of `url`. */
  origin: { readonly origin: string; readonly secure: boolean };
  /** Where signed requests are taken: the host of `url`, and that of `devices.relay_url`. */
  authorities: readonly string[];
  maxBodyBytes: number;
  window: SignatureWindow;
  audit: AuditRecorder;
  metrics: SignatureMetrics;
  clock: Clock;
}

type KnownDevice = DeviceAuthentication & { readonly ok: true };

const toCaller = ({ session, user, deviceId, publicKey }: KnownDevice): DeviceCaller => ({
  session,
  user,
  deviceId,
  publicKey,
});

export type DeviceGuard = ReturnType<typeof deviceGuard>;

/** Refusals of one device that the audit keeps in `WINDOW_MS`. */
const ROWS = 20;
const WINDOW_MS = 60_000;
const MAX_KEYS = 1_000;

/** Decides which device a request comes from. Nothing of a signed request has any effect before it is verified, body included. */
export function deviceGuard(deps: DeviceGuardDeps) {
  const { ledger, nonces, marks, origin, authorities, clock, metrics } = deps;
  const rows = rateLimiter({ clock, limit: ROWS, windowMs: WINDOW_MS, maxKeys: MAX_KEYS });

  const refusal = (reason: SignatureRefusalReason): AppError => {
    metrics.refused(reason);
    return signatureRefusal(reason, clock.now());
  };

  const note = (request: Request, reason: string, sessionId: SessionId, found: DeviceAuthentication) => {
    if (!rows.take(sessionId).ok) return;
    const { address, userAgent } = requestContext(request);
    const owner = found.ok ? { subjectUserId: found.user.id } : {};
    const detail = { reason, ...(found.ok ? { device: found.deviceId } : {}) };
    deps.audit.note({
      at: clock.now(),
      action: 'device.denied',
      outcome: 'refused',
      ...owner,
      sessionId,
      address,
      userAgent,
      detail,
    });
  };

  const authorityOf = (request: Request): string => {
    const host = request.headers.get('host') ?? '';
    const authority = authorities.includes(host) ? host : requestHost(request, origin.secure);
    if (!authorities.includes(authority)) throw refusal('authority');
    return authority;
  };

  /** Whether the body is the one that was signed; whoever reads it next gets these bytes. */
  const holdToDigest = async (request: Request, { digests }: SignedRequest) => {
    if (digests === undefined) return;
    const body = await readBody(request, deps.maxBodyBytes);
    if (!fitsDigests(digests, body)) throw refusal('digest_mismatch');
    keepBody(request, body);
  };

  /** The same device after something took its time: it may have been unpaired, or been given another key meanwhile. */
  const recogniseAgain = async (
    signed: SignedRequest,
    { publicKey }: DeviceCaller,
  ): Promise<DeviceCaller> => {
    const found = await ledger.recogniseDevice(signed.stated.keyId as SessionId);
    if (!found.ok) throw refusal('unknown_device');
    // A device that were told that it is not paired would give up.
    if (found.publicKey !== publicKey) throw refusal('invalid');
    return toCaller(found);
  };

  const accepted = (caller: DeviceCaller): DeviceCaller => {
    ledger.deviceSigned(caller.session.id);
    metrics.accepted();
    return caller;
  };

  const accept = (request: Request, signed: SignedRequest, caller: DeviceCaller) => {
    const written = marks.taken(caller.session.id, signed.stated.created);
    if (written === undefined && signed.digests === undefined) return accepted(caller);
    return (async () => {
      await written;
      await holdToDigest(request, signed);
      return accepted(await recogniseAgain(signed, caller));
    })();
  };

  /** What becomes of a request that its key signed. */
  const settle = (
    request: Request,
    signed: SignedRequest,
    found: KnownDevice,
  ): DeviceCaller | Promise<DeviceCaller> => {
    const verdict = nonces.take(found.session, signed.stated.nonce, signed.stated.created);
    const caller = toCaller(found);
    const requireFresh = (given: NonceVerdict) => {
      if (given === 'replayed') note(request, given, found.session.id, found);
      if (given !== 'fresh') throw refusal(given);
    };
    if (!(verdict instanceof Promise)) {
      requireFresh(verdict);
      return accept(request, signed, caller);
    }
    return verdict.then(async (late) => {
      requireFresh(late);
      return accept(request, signed, await recogniseAgain(signed, caller));
    });
  };

  /** A signature that does not hold may be one for the other host of this server; that is told apart, for who set it up. */
  const refuseUnverified = async (
    request: Request,
    signed: SignedRequest,
    found: KnownDevice,
    target: RequestTarget,
  ): Promise<never> => {
    for (const authority of authorities) {
      if (authority === target.authority) continue;
      const isForThat = await isSignedBy(found.publicKey as DevicePublicKey, signed, {
        ...target,
        authority,
      });
      if (isForThat) throw refusal('authority');
    }
    note(request, 'invalid', found.session.id, found);
    throw refusal('invalid');
  };

  const judge = (
    request: Request,
    authority: string,
    signed: SignedRequest,
    found: DeviceAuthentication,
  ): DeviceCaller | Promise<DeviceCaller> => {
    if (!found.ok) {
      if (found.reason === 'revoked') note(request, found.reason, signed.stated.keyId as SessionId, found);
      throw refusal('unknown_device');
    }
    const target = { method: request.method, authority, url: request.url };
    const isGenuine = isSignedBy(found.publicKey as DevicePublicKey, signed, target);
    if (isGenuine === true) return settle(request, signed, found);
    if (isGenuine === false) return refuseUnverified(request, signed, found, target);
    return isGenuine.then(async (late) => {
      if (!late) return refuseUnverified(request, signed, found, target);
      await recogniseAgain(signed, found);
      return settle(request, signed, found);
    });
  };

  /**
   * The device that signed this request (RFC 9421, in the profile of docs/devices.md). In the same turn where memory answers
   * and there is no body; a body is read, held against its digest, and kept for whoever reads it next.
   * @throws AppError `unauthorized` or `bad_request`, each refusal with its own code and with `server_time`.
   */
  const signedDevice = (request: Request): DeviceCaller | Promise<DeviceCaller> => {
    const signed = readSignedRequest(request.headers);
    if (typeof signed === 'string') throw refusal(signed);
    const authority = authorityOf(request);
    const aged = ageRefusal(signed.stated.created, clock.now(), deps.window);
    if (aged !== undefined) throw refusal(aged);
    const found = ledger.recogniseDevice(signed.stated.keyId as SessionId);
    if (!(found instanceof Promise)) return judge(request, authority, signed, found);
    return found.then((late) => judge(request, authority, signed, late));
  };

  const unauthorized = (code: string, message: string) =>
    new AppError('unauthorized', code, message, toldTime(clock.now()));

  const fromToken = async (token: string): Promise<DeviceCaller> => {
    const known = await ledger.authenticate(token, 'device', DEVICE_AUDIENCE);
    const found = known.ok ? await ledger.recogniseDevice(known.session.id) : known;
    if (!('deviceId' in found)) {
      throw unauthorized('invalid_token', 'The token is unknown, or its device is not paired any more.');
    }
    return toCaller(found);
  };

  return {
    signedDevice,

    /**
     * The device whose session token stands in `Authorization`, or that signed the request; for what only reads.
     * @throws AppError as `signedDevice`, and `unauthorized` (`token_required`, `invalid_token`).
     */
    async knownDevice(request: Request): Promise<DeviceCaller> {
      if (request.headers.has('signature')) return signedDevice(request);
      const token = bearerToken(request);
      if (token !== undefined) return fromToken(token);
      throw unauthorized('token_required', 'This needs the token of a device, or its signature.');
    },
  };
}

const TOKEN_REFUSALS = ['token_required', 'invalid_token'].map((code) => ({
  kind: 'unauthorized' as const,
  code,
}));

/** Who may call the routes for devices: what a route asks for and what is said of it are one thing. */
export function deviceAccess(guard: DeviceGuard) {
  return {
    /** A signed request alone. */
    signed: {
      by: 'device_signature',
      refusals: SIGNATURE_REFUSALS,
      authenticate: async (request: Request) => guard.signedDevice(request),
    } satisfies ApiAccess<DeviceCaller>,
    /** The session token is enough. */
    known: {
      by: 'device_token',
      refusals: [...SIGNATURE_REFUSALS, ...TOKEN_REFUSALS],
      authenticate: (request: Request) => guard.knownDevice(request),
    } satisfies ApiAccess<DeviceCaller>,
  };
}

export type DeviceApiAccess = ReturnType<typeof deviceAccess>;
