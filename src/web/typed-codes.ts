import type { AuditRecorder } from '../audit/recorder.ts';
import type { AskingProgram, DeviceRequests } from '../authorization-server/device-requests.ts';
import type { Config } from '../config/schema.ts';
import type { AskingDevice, JoinRequests } from '../devices/join-requests.ts';
import type { RateLimiter, RateLimitOptions } from '../http/rate-limit.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { sealer } from '../lib/seal.ts';
import { readTypedCode } from '../lib/typed-code.ts';
import type { Caller } from '../sessions/guard.ts';

export interface TypedCodesDeps {
  config: Pick<
    Config['authorization_server'],
    'user_codes' | 'user_codes_per_user' | 'limits_window' | 'consent_lifetime'
  >;
  programs: DeviceRequests;
  joins: Pick<JoinRequests, 'find'>;
  ring: KeyRing;
  audit: AuditRecorder;
  clock: Clock;
  limiter: (options: Omit<RateLimitOptions, 'clock'>) => RateLimiter;
}

/** Who shows the code that somebody typed. */
export type Asker =
  | { readonly kind: 'program'; readonly program: AskingProgram }
  | { readonly kind: 'device'; readonly device: AskingDevice };

/** What was found, and what the form brings back: the answer is to what was shown, in the same browser session. */
export interface Found {
  readonly asker: Asker;
  readonly sealed: string;
}

const ANSWER = keyPurpose('answer to a typed code');
const MAX_PEOPLE = 10_000;

export type TypedCodes = ReturnType<typeof typedCodes>;

/** Codes that people type at `/device`. Wrong ones are counted per person and in all; every wrong one looks the same. */
export function typedCodes({ config, programs, joins, ring, audit, clock, limiter }: TypedCodesDeps) {
  const windowMs = config.limits_window;
  const perUser = limiter({ limit: config.user_codes_per_user, windowMs, maxKeys: MAX_PEOPLE });
  const all = limiter({ limit: config.user_codes, windowMs, maxKeys: 1 });
  const reports = limiter({ limit: 1, windowMs, maxKeys: MAX_PEOPLE });
  const seals = sealer(ring, ANSWER);

  const refuse = (request: Request, { user, session }: Caller, retryAfterSeconds: number): never => {
    if (reports.take(user.id).ok) {
      const { address, userAgent } = requestContext(request);
      const who = { actorUserId: user.id, sessionId: session.id, address, userAgent };
      audit.note({ at: clock.now(), action: 'user_code.rate_limited', outcome: 'refused', ...who });
    }
    throw tooMany(retryAfterSeconds);
  };

  /** Counts an attempt as wrong until it is given back, so that many at once are no way around the limit. */
  const take = (request: Request, caller: Caller) => {
    const mine = perUser.take(caller.user.id);
    if (!mine.ok) return refuse(request, caller, mine.retryAfterSeconds);
    const any = all.take('');
    if (any.ok) return;
    perUser.giveBack(caller.user.id);
    refuse(request, caller, any.retryAfterSeconds);
  };

  const find = (code: string | undefined, caller: Caller): Asker | undefined => {
    if (code === undefined) return undefined;
    const device = joins.find(code);
    if (device !== undefined) return { kind: 'device', device };
    const program = programs.find(code, caller.user);
    return program && { kind: 'program', program };
  };

  return {
    /** @throws AppError `not_found` (`unknown_code`) for every code that nobody shows now, `too_many_requests` (`too_many_codes`). */
    find(typed: string, request: Request, caller: Caller): Found {
      take(request, caller);
      const code = readTypedCode(typed);
      const asker = find(code, caller);
      if (code === undefined || asker === undefined) throw unknownCode();
      perUser.giveBack(caller.user.id);
      all.giveBack('');
      const until = clock.now() + config.consent_lifetime;
      return { asker, sealed: seals.seal(`${code} ${until}`, [caller.session.id]) };
    },

    /** Who was shown. @throws AppError `not_found` (`unknown_code`): it was answered, has run out, or was shown to somebody else. */
    answered(sealed: string, caller: Caller): Asker {
      const [code, until] = (seals.open(sealed, [caller.session.id]) ?? '').split(' ');
      const asker = clock.now() < Number(until ?? 0) ? find(code, caller) : undefined;
      if (asker === undefined) throw unknownCode();
      return asker;
    },
  };
}

const unknownCode = () =>
  new AppError(
    'not_found',
    'unknown_code',
    'This code is not good, or not any more. Compare it, or let the device show a new one.',
  );

const tooMany = (retryAfterSeconds: number) =>
  new AppError('too_many_requests', 'too_many_codes', 'Too many codes that were not good. Wait a moment.', {
    retryAfterSeconds,
  });
