import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Limiter } from '../lib/limiter.ts';
import { newId } from '../lib/random.ts';
import { readClientMetadata } from './client-metadata.ts';
import type { CountRegistration } from './metrics.ts';
import type { ClientMetadata } from './model.ts';
import { withoutLoopbackPort } from './redirect-uri.ts';
import type { ClientStore, RegisteredClient } from './store-clients.ts';

export interface RegistrationDeps {
  db: Db;
  store: ClientStore;
  audit: AuditRecorder;
  clock: Clock;
  /** Registrations that one address may ask for, those that are known already too. */
  limit: Limiter;
  /** What a limit counts an address as. */
  addressKey: (address: string) => string;
  maxClients: number;
  unusedLifetimeMs: number;
  privateUseSchemes: readonly string[];
  count: CountRegistration;
}

export type Registration = ReturnType<typeof registration>;

/**
 * Dynamic registration of public clients (RFC 7591 section 3): no secret, no management token. The same metadata is the same
 * client, so that what registers anew with every start makes no rows.
 */
export function registration(deps: RegistrationDeps) {
  const { db, store, clock } = deps;

  const add = (metadata: ClientMetadata, address: string) =>
    db.write((tx) => {
      const now = clock.now();
      const hash = hashOf(metadata);
      const known = store.findSame(tx, hash, now + deps.unusedLifetimeMs);
      if (known !== undefined) return { client: known, isNew: false };
      if (store.count(tx) >= deps.maxClients) throw full();
      const client: RegisteredClient = { ...metadata, id: newId('cli'), createdAt: now };
      store.insert(tx, client, hash, now + deps.unusedLifetimeMs);
      deps.audit.record(tx, {
        at: now,
        action: 'oauth.client_registered',
        outcome: 'success',
        address,
        detail: { client: client.id },
      });
      return { client, isNew: true };
    });

  return {
    /**
     * @throws AppError `bad_request` (`invalid_redirect_uri`, `invalid_client_metadata`), `too_many_requests`
     * (`too_many_registrations`), `unavailable` (`too_many_clients`).
     */
    async register(body: unknown, address: string): Promise<RegisteredClient> {
      const allowance = await deps.limit.take(deps.addressKey(address));
      if (!allowance.ok) {
        deps.count('rate_limited');
        throw tooMany(allowance.retryAfterSeconds);
      }
      const metadata = readOrCount(body, deps);
      const { client, isNew } = await add(metadata, address);
      deps.count(isNew ? 'new' : 'known');
      return { ...client, redirectUris: metadata.redirectUris };
    },
  };
}

function readOrCount(body: unknown, { privateUseSchemes, count }: RegistrationDeps): ClientMetadata {
  try {
    return readClientMetadata(body, {
      privateUseSchemes,
      fallbackName: 'A program without a name',
      mayReplaceAuthMethod: true,
    });
  } catch (error) {
    count('refused');
    throw error;
  }
}

/** Neither the order of redirect URIs nor the port of a loopback address means anything: many clients take another with each start. */
function hashOf({ name, redirectUris }: ClientMetadata): string {
  const meant = [...new Set(redirectUris.map(withoutLoopbackPort))].toSorted();
  return Bun.SHA256.hash(JSON.stringify([name, meant]), 'base64url');
}

/** The answer to a registration (RFC 7591 section 3.2.1): what was understood, not what was asked for. */
export function registrationAnswer({ id, name, redirectUris, createdAt }: RegisteredClient) {
  return {
    client_id: id,
    client_id_issued_at: Math.floor(createdAt / 1_000),
    client_name: name,
    redirect_uris: redirectUris,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
}

const tooMany = (retryAfterSeconds: number) =>
  new AppError(
    'too_many_requests',
    'too_many_registrations',
    'too many registrations came from this address; wait a moment',
    { retryAfterSeconds },
  );

const full = () =>
  new AppError('unavailable', 'too_many_clients', 'too many clients are registered here; try again later', {
    retryAfterSeconds: 3_600,
  });
