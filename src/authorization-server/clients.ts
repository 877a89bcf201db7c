import { AppError } from '../lib/app-error.ts';
import type { UserId } from '../users/model.ts';
import { type ClientDocuments, isDocumentClientId } from './client-id-document.ts';
import type { OauthClient } from './model.ts';
import type { ClientStore } from './store-clients.ts';

export interface ClientsDeps {
  configured: readonly {
    readonly client_id: string;
    readonly name: string;
    readonly redirect_uris: readonly string[];
    readonly device_flow: boolean;
  }[];
  store: ClientStore;
  documents: ClientDocuments;
}

export type Clients = ReturnType<typeof oauthClients>;

/** Who a client id stands for: a client of the configuration, one that registered itself, or a document at an address. */
export function oauthClients({ configured, store, documents }: ClientsDeps) {
  const known = new Map<string, OauthClient>(
    configured.map(({ client_id, name, redirect_uris, device_flow }) => [
      client_id,
      { id: client_id, name, redirectUris: redirect_uris, kind: 'configured', mayShowCode: device_flow },
    ]),
  );

  const findKept = (clientId: string): OauthClient | undefined => {
    const registered = known.has(clientId) ? undefined : store.find(clientId);
    return known.get(clientId) ?? (registered && { ...registered, kind: 'registered' });
  };

  return {
    /** A client that needs no fetching. */
    findKept,

    /** Whether the client has to be fetched, which is done for people who are signed in alone. */
    needsFetching: isDocumentClientId,

    /** @throws AppError `bad_request` (`unknown_client`, `invalid_client_document`), `too_many_requests` (`too_many_documents`). */
    async get(clientId: string, userId: UserId): Promise<OauthClient> {
      const client = isDocumentClientId(clientId)
        ? await documents.find(clientId, userId)
        : findKept(clientId);
      if (client === undefined) throw unknownClient();
      return client;
    },

    /** Whether a client that failed at the token endpoint is known at all; a document is taken at its word. */
    isKnown: (clientId: string): boolean => isDocumentClientId(clientId) || findKept(clientId) !== undefined,
  };
}

export const unknownClient = () =>
  new AppError(
    'bad_request',
    'unknown_client',
    'This program is not known here, or was forgotten. Remove the connection in it, and add it again.',
  );
