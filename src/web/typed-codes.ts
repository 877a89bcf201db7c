import type { AuditRecorder } from '../audit/recorder.ts';
import type { AskingProgram, DeviceRequests } from '../authorization-server/device-requests.ts';
import type { Config } from '../config/schema.ts';
import type { AskingDevice, JoinRequests } from '../devices/join-requests.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import type { OpenLimiter, Taken } from '../lib/limiter.ts';
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
  limiter: OpenLimiter;
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
  const limit = (name: string, perWindow: number, maxKeys = MAX_PEOPLE) =>
    limiter({ name: `typed codes ${name}`, limit: perWindow, windowMs, maxKeys });
  const perUser = limit('of a person', config.user_codes_per_user);
  const all = limit('of all', config.user_codes, 1);
  const reports = limit('reported', 1);
  const seals = sealer(ring, ANSWER);

  const refuse = async (
    request: Request,
    { user, session }: Caller,
    retryAfterSeconds: number,
  ): Promise<never> => {
    if ((await reports.take(user.id)).ok) {
      const { address, userAgent } = requestContext(request);
      const who = { actorUserId: user.id, sessionId: session.id, address, userAgent };
      audit.note({ at: clock.now(), action: 'user_code.rate_limited', outcome: 'refused', ...who });
    }
    throw tooMany(retryAfterSeconds);
  };

  /** Counts an attempt as wrong until it is given back, so that many at once are no way around the limit. */
  const take = async (request: Request, caller: Caller): Promise<Pick<Taken, 'giveBack'>> => {
    const mine = await perUser.take(caller.user.id);
    if (!mine.ok) return refuse(request, caller, mine.retryAfterSeconds);
    const any = await all.take('');
    if (!any.ok) {
      mine.giveBack();
      return refuse(request, caller, any.retryAfterSeconds);
    }
    const giveBack = () => {
      mine.giveBack();
      any.giveBack();
    };
    return { giveBack };
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
    async find(typed: string, request: Request, caller: Caller): Promise<Found> {
      const attempt = await take(request, caller);
      const code = readTypedCode(typed);
      const asker = find(code, caller);
      if (code === undefined || asker === undefined) throw unknownCode();
      attempt.giveBack();
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
