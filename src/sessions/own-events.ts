import type { SessionChange } from './event-wire.ts';

type Named = Pick<SessionChange, 'id' | 'status'>;

/** Events of this process that are on their way back to it: what they tell of is done here. */
export interface OwnEvents {
  sent(events: readonly Named[]): void;
  /** Whether it comes back because it was sent; each only once. */
  takeBack(event: Named): boolean;
  /**
   * It is not known which of these come back: those that do are applied like anybody's, which is harmless. What has come back of
   * them already may have been anybody's, and has to be looked at again.
   */
  unknown(events: readonly Named[]): void;
  clear(): void;
}

/** More than that on their way at once, and all are taken for anybody's. */
const MAX_ON_THE_WAY = 100_000;

export function ownEvents(): OwnEvents {
  const onTheWay = new Map<string, number>();
  return {
    sent(events) {
      if (onTheWay.size > MAX_ON_THE_WAY) onTheWay.clear();
      for (const event of events) onTheWay.set(keyOf(event), (onTheWay.get(keyOf(event)) ?? 0) + 1);
    },
    takeBack(event) {
      const key = keyOf(event);
      const count = onTheWay.get(key) ?? 0;
      if (count > 1) onTheWay.set(key, count - 1);
      else onTheWay.delete(key);
      return count > 0;
    },
    unknown(events) {
      for (const event of events) onTheWay.delete(keyOf(event));
    },
    clear: () => onTheWay.clear(),
  };
}

const keyOf = ({ id, status }: Named) => `${status} ${id}`;
