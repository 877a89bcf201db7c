import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { sealer } from '../lib/seal.ts';
import type { Provider } from './provider.ts';
import type { Providers } from './providers.ts';

const PURPOSE = keyPurpose('signed out');
const CONTEXT = ['signed out at'];

export type ProviderSignOut = ReturnType<typeof providerSignOut>;

/**
 * The way out at a provider and back (OpenID Connect RP-Initiated Logout sections 2 and 3). Its `state` is the sealed
 * name of the provider, so that no stranger's link makes us say that somebody has signed out there.
 */
export function providerSignOut({ providers, ring }: { providers: Providers; ring: KeyRing }) {
  const box = sealer(ring, PURPOSE);
  const find = (name: string): Provider | undefined =>
    providers.all.find((provider) => provider.name === name);

  return {
    /** Where the browser goes; `undefined` when the provider has no way out, or is not configured any more. */
    url: (name: string, idTokenHint: string | undefined): string | undefined =>
      find(name)?.endSessionUrl({ idTokenHint, state: box.seal(name, CONTEXT) })?.href,

    /** What the provider is called from which a browser came back; `undefined` for any other `state`. */
    labelOf(state: string | undefined): string | undefined {
      const name = state === undefined ? undefined : box.open(state, CONTEXT);
      return name === undefined ? undefined : find(name)?.label;
    },
  };
}
