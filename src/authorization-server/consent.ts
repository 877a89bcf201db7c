import { z } from 'zod';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { type Sealer, sealer } from '../lib/seal.ts';
import type { SessionId } from '../sessions/model.ts';
import type { AuthorizationRequest, OauthClient } from './model.ts';

const CONSENT = keyPurpose('oauth consent');

/** What somebody is asked to consent to; several resources where the request named none. */
export interface ConsentQuestion extends Omit<AuthorizationRequest, 'resource' | 'scope'> {
  readonly resources: readonly string[];
}

const question = z.strictObject({
  clientId: z.string(),
  clientName: z.string(),
  redirectUri: z.string(),
  state: z.string().optional(),
  codeChallenge: z.string(),
  resources: z.array(z.string()).min(1),
  until: z.number(),
});

export type Consents = ReturnType<typeof consents>;

/**
 * The form of the consent page carries, sealed, everything that was shown: the answer is to that, in that browser session, for
 * a while, and to nothing else.
 */
export function consents({ ring, clock, lifetimeMs }: { ring: KeyRing; clock: Clock; lifetimeMs: number }) {
  const seals: Sealer = sealer(ring, CONSENT);
  return {
    seal: (asked: ConsentQuestion, session: SessionId): string =>
      seals.seal(JSON.stringify({ ...asked, until: clock.now() + lifetimeMs }), [session]),

    /** @throws AppError `bad_request` (`stale_consent`) for what was not asked in this session, or too long ago. */
    open(sealed: string, session: SessionId): ConsentQuestion {
      const opened = seals.open(sealed, [session]);
      if (opened === undefined) throw stale();
      const { until, state, ...asked } = question.parse(JSON.parse(opened));
      if (clock.now() >= until) throw stale();
      return { ...asked, state };
    },
  };
}

/**
 * Whether a client may connect again without a question: it is a document at an https origin, and sends its answers to that same
 * origin, so that whoever receives the code is whom the address names. That alone is no consent: any site can publish a document
 * and lead a browser here.
 */
export function mayBeSpared({ kind, id }: OauthClient, redirectUri: string): boolean {
  if (kind !== 'document') return false;
  const { protocol, origin } = new URL(redirectUri);
  return protocol === 'https:' && origin === new URL(id).origin;
}

export const stale = () =>
  new AppError(
    'bad_request',
    'stale_consent',
    'This was asked too long ago, or in another browser. Begin again in the program that wants to connect.',
  );
