import { LRUCache } from 'lru-cache';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Limiter } from '../lib/limiter.ts';
import { FetchError } from '../lib/safe-fetch.ts';
import type { UserId } from '../users/model.ts';
import { readClientMetadata } from './client-metadata.ts';
import type { CountDocument } from './metrics.ts';
import type { OauthClient } from './model.ts';

/** Fetches a document within the limits of `constants.ts`. @throws FetchError. */
export type FetchDocument = (url: string) => Promise<Response>;

export interface ClientDocumentsDeps {
  fetchDocument: FetchDocument;
  clock: Clock;
  lifetimeMs: number;
  privateUseSchemes: readonly string[];
  /** Fetches that one person may cause. */
  limit: Limiter;
  count: CountDocument;
}

const MAX_DOCUMENTS = 500;
const MAX_CLIENT_ID_LENGTH = 512;

/**
 * Whether a client id is the address of a document (draft-ietf-oauth-client-id-metadata-document section 3): https, with a path, without
 * dot segments, user or fragment, and written the way a URL parser writes it, so that no two spellings are one client.
 */
export function isDocumentClientId(clientId: string): boolean {
  if (!clientId.startsWith('https://') || clientId.length > MAX_CLIENT_ID_LENGTH) return false;
  const url = URL.parse(clientId);
  return (
    url !== null &&
    url.href === clientId &&
    url.pathname !== '/' &&
    url.hash === '' &&
    !clientId.includes('#') &&
    url.username === '' &&
    url.password === ''
  );
}

export type ClientDocuments = ReturnType<typeof clientDocuments>;

/** Clients that are known by a document at their address. It is fetched for people who are signed in alone, and believed for a while. */
export function clientDocuments(deps: ClientDocumentsDeps) {
  const { clock, limit, count } = deps;
  const known = new LRUCache<string, { client: OauthClient; until: number }>({ max: MAX_DOCUMENTS });
  const underWay = new Map<string, Promise<OauthClient>>();

  const fetchAndKeep = async (clientId: string): Promise<OauthClient> => {
    const startedAt = clock.monotonicNow();
    try {
      const client = await fetchClient(clientId, deps);
      known.set(clientId, { client, until: startedAt + deps.lifetimeMs });
      count('success');
      return client;
    } catch (error) {
      count(error instanceof FetchError ? error.failure : 'invalid');
      throw error instanceof FetchError ? unreadable(error) : error;
    } finally {
      underWay.delete(clientId);
    }
  };

  const remembered = (clientId: string): OauthClient | Promise<OauthClient> | undefined => {
    const cached = known.get(clientId);
    const isGood = cached !== undefined && clock.monotonicNow() < cached.until;
    return isGood ? cached.client : underWay.get(clientId);
  };

  const fetchFor = async (clientId: string, userId: UserId): Promise<OauthClient> => {
    const allowance = await limit.take(userId);
    if (!allowance.ok) throw tooMany(allowance.retryAfterSeconds);
    const meanwhile = remembered(clientId);
    if (meanwhile !== undefined) {
      allowance.giveBack();
      return meanwhile;
    }
    const pending = fetchAndKeep(clientId);
    underWay.set(clientId, pending);
    return pending;
  };

  return {
    /** @throws AppError `bad_request` (`invalid_client_document`), `too_many_requests` (`too_many_documents`). */
    find: (clientId: string, userId: UserId): OauthClient | Promise<OauthClient> =>
      remembered(clientId) ?? fetchFor(clientId, userId),
  };
}

async function fetchClient(
  clientId: string,
  { fetchDocument, privateUseSchemes }: ClientDocumentsDeps,
): Promise<OauthClient> {
  const document = await readDocument(await fetchDocument(clientId));
  // Compared as text (section 4.1): whoever can put a document somewhere cannot speak for another address.
  if (document['client_id'] !== clientId || 'client_secret' in document) throw invalidDocument();
  const fallbackName = new URL(clientId).host;
  const rules = { privateUseSchemes, fallbackName, mayReplaceAuthMethod: false };
  try {
    const { name, redirectUris } = readClientMetadata(document, rules);
    return { id: clientId, name, redirectUris, kind: 'document' };
  } catch (error) {
    throw error instanceof AppError ? invalidDocument(error) : error;
  }
}

async function readDocument(response: Response): Promise<Readonly<Record<string, unknown>>> {
  const type = response.headers.get('content-type') ?? '';
  if (response.status !== 200 || !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw invalidDocument();
  }
  try {
    const value: unknown = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(await response.arrayBuffer()),
    );
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Whatever is no JSON says nothing of a client.
  }
  throw invalidDocument();
}

const invalidDocument = (cause?: unknown) =>
  new AppError(
    'bad_request',
    'invalid_client_document',
    'The address that this client gives as its id does not hold a document that describes it.',
    { cause },
  );

const unreadable = (cause: FetchError) =>
  new AppError(
    'bad_request',
    'invalid_client_document',
    'The address that this client gives as its id cannot be read from here.',
    { cause },
  );

const tooMany = (retryAfterSeconds: number) =>
  new AppError('too_many_requests', 'too_many_documents', 'Too many new clients. Wait a moment.', {
    retryAfterSeconds,
  });
