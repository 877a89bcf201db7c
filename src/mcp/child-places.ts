import type { UserId } from '../users/model.ts';
import type { Backend } from './model.ts';

export interface ChildLimits {
  /** Children that one person may have at a time, of all backends. */
  perUser: number;
  /** Children in all. */
  total: number;
}

/** Who takes a place. */
export interface PlaceTaker {
  readonly userId: UserId;
  readonly backend: Backend;
}

export type ChildPlaces = ReturnType<typeof childPlaces>;

/** Counts children against the limits. Whoever removes a child from the table gives its place back, and nobody else. */
export function childPlaces({ perUser, total }: ChildLimits) {
  const counts = new Map<string, number>();
  let taken = 0;
  const of = (key: string) => counts.get(key) ?? 0;
  const keysOf = ({ userId, backend }: PlaceTaker) => [userId, backend.name, `${userId} ${backend.name}`];
  const add = (taker: PlaceTaker, by: 1 | -1) => {
    taken += by;
    for (const key of keysOf(taker)) {
      const now = of(key) + by;
      if (now > 0) counts.set(key, now);
      else counts.delete(key);
    }
  };

  return {
    /** Whose children stand in the way of one more: one that fits would make room. `undefined`: there is room. */
    full({ userId, backend }: PlaceTaker): ((other: PlaceTaker) => boolean) | undefined {
      const { name, limits } = backend;
      if (of(`${userId} ${name}`) >= limits.childrenPerUser) {
        return (other) => other.userId === userId && other.backend.name === name;
      }
      if (of(userId) >= perUser) return (other) => other.userId === userId;
      if (of(name) >= limits.children) return (other) => other.backend.name === name;
      return taken >= total ? () => true : undefined;
    },
    take: (taker: PlaceTaker): void => add(taker, 1),
    give: (taker: PlaceTaker): void => add(taker, -1),
    get taken() {
      return taken;
    },
  };
}
