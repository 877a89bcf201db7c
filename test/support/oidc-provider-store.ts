/** What oidc-provider keeps of one thing (a session, a grant, a code); only these fields are looked at here. */
interface Stored {
  uid?: string;
  grantId?: string;
  userCode?: string;
  consumed?: number;
}

/** One provider's memory. Its own store forgets beyond 1,000 entries, which is fewer than the tests sign in at once. */
export function memoryAdapter() {
  const stored = new Map<string, Stored>();

  return (model: string) => {
    const keyOf = (id: string) => `${model}:${id}`;
    const findWhere = (matches: (payload: Stored) => boolean) => {
      for (const [key, payload] of stored) {
        if (key.startsWith(`${model}:`) && matches(payload)) return payload;
      }
      return undefined;
    };
    return {
      upsert: async (id: string, payload: Stored) => void stored.set(keyOf(id), payload),
      find: async (id: string) => stored.get(keyOf(id)),
      findByUid: async (uid: string) => findWhere((payload) => payload.uid === uid),
      findByUserCode: async (userCode: string) => findWhere((payload) => payload.userCode === userCode),
      destroy: async (id: string) => void stored.delete(keyOf(id)),
      async consume(id: string) {
        const payload = stored.get(keyOf(id));
        if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000);
      },
      async revokeByGrantId(grantId: string) {
        for (const [key, payload] of stored) if (payload.grantId === grantId) stored.delete(key);
      },
    };
  };
}
