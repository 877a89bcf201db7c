import type { Db } from '../../src/db/open.ts';
import type { CredentialReader, FoundCredential } from '../../src/sessions/model.ts';
import { sessionStore } from '../../src/sessions/store.ts';

/** Look-ups that wait for the test: what they find was read when they began, unless they are told to read anew. */
export interface HeldReader {
  readonly reader: (db: Db) => CredentialReader;
  readonly open: number;
  /** Answers one of the look-ups that wait, if there is one. */
  answer(which: number, how: 'stale' | 'fresh' | 'outage'): void;
}

interface Held {
  begun: FoundCredential | undefined;
  readAnew: () => FoundCredential | undefined;
  resolve: (found: FoundCredential | undefined) => void;
  reject: (error: Error) => void;
}

export function heldReader(outage: () => Error): HeldReader {
  const held: Held[] = [];
  return {
    reader(db) {
      const store = sessionStore(db);
      const hold = (readAnew: Held['readAnew']) =>
        new Promise<FoundCredential | undefined>((resolve, reject) => {
          held.push({ begun: readAnew(), readAnew, resolve, reject });
        });
      return {
        findByHash: (hash) => hold(() => store.findByHash(hash)),
        findSigner: (id) => hold(() => store.findSigner(id)),
      };
    },
    get open() {
      return held.length;
    },
    answer(which, how) {
      const [one] = held.splice(which % Math.max(1, held.length), 1);
      if (how === 'outage') one?.reject(outage());
      else one?.resolve(how === 'stale' ? one.begun : one.readAnew());
    },
  };
}
