import { isLoopbackName } from '../lib/loopback.ts';
import { readTypedCode } from '../lib/typed-code.ts';

/** How a device joins: with something that its owner has given it, or by asking to be let in. */
export type JoinTarget =
  | { readonly server: string; readonly credential: string }
  | { readonly server: string; readonly credential: undefined };

export type ReadJoinTarget = { readonly target: JoinTarget } | { readonly fault: string };

const PAIRING_PATH = '/pair';

/**
 * Reads what stands after `--join`: the link of a pairing, its code (which needs the server besides), or the server's own
 * address, where the owner then types what the device shows.
 */
export function readJoinTarget(text: string, server: string | undefined): ReadJoinTarget {
  const url = text.includes('://') ? URL.parse(text) : null;
  if (url === null) return withCode(text, server);
  const fault = serverFault(url) ?? otherServerFault(url, server);
  if (fault !== undefined) return { fault };
  const credential = url.hash.slice(1);
  if (credential === '' && url.pathname === '/')
    return { target: { server: url.origin, credential: undefined } };
  if (credential !== '' && url.pathname === PAIRING_PATH)
    return { target: { server: url.origin, credential } };
  return { fault: 'the link is not one of a pairing: copy all of it, with what stands after #' };
}

function withCode(text: string, server: string | undefined): ReadJoinTarget {
  const credential = readTypedCode(text);
  if (credential === undefined)
    return { fault: 'that is neither the link of a pairing nor a code like ABCD-EFGH' };
  if (server === undefined) return { fault: 'a code alone does not say where: add --server https://…' };
  const url = URL.parse(server);
  const fault = url === null ? 'the server is no address like https://auth.example.com' : serverFault(url);
  return fault === undefined && url !== null
    ? { target: { server: url.origin, credential } }
    : { fault: fault ?? 'the server is no address' };
}

function serverFault(url: URL): string | undefined {
  const { protocol, hostname, username, password } = url;
  if (username !== '' || password !== '') return 'an address with a user in it is not one of a server';
  if (protocol === 'https:') return undefined;
  if (protocol !== 'http:') return 'the address of a server begins with https://';
  return isLoopbackName(hostname) ? undefined : 'a server is reached by https; http is for this very machine';
}

function otherServerFault({ origin }: URL, server: string | undefined): string | undefined {
  if (server === undefined || URL.parse(server)?.origin === origin) return undefined;
  return '--join and --server name different servers';
}
