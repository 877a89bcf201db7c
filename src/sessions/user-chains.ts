import type { UserId } from '../users/model.ts';

/** An entry with the links of its chain, which belong to `userChains` alone. */
export interface Chained<Entry> {
  readonly session: { readonly userId: UserId };
  nextOfUser: Entry | undefined;
  previousOfUser: Entry | undefined;
}

/** The entries of each user, linked through the entries themselves: most users have one or two, and need no list for it. */
export function userChains<Entry extends Chained<Entry>>() {
  const first = new Map<UserId, Entry>();

  return {
    add(entry: Entry): void {
      const { userId } = entry.session;
      const next = first.get(userId);
      entry.nextOfUser = next;
      if (next !== undefined) next.previousOfUser = entry;
      first.set(userId, entry);
    },

    remove(entry: Entry): void {
      const { nextOfUser: next, previousOfUser: previous } = entry;
      if (next !== undefined) next.previousOfUser = previous;
      if (previous !== undefined) previous.nextOfUser = next;
      else if (next !== undefined) first.set(entry.session.userId, next);
      else first.delete(entry.session.userId);
      entry.nextOfUser = undefined;
      entry.previousOfUser = undefined;
    },

    of(userId: UserId): Entry[] {
      const found: Entry[] = [];
      for (let each = first.get(userId); each !== undefined; each = each.nextOfUser) found.push(each);
      return found;
    },
  };
}
