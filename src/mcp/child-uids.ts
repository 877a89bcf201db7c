/** Uids that root gives to children: nobody else has them, and no two children at a time. */
export interface ChildUids {
  /**
   * A free one. The same `key` gets the same one whenever it is free, so that what it owns on disk stays its own.
   * @throws Error when all are taken.
   */
  take(key: string): number;
  give(uid: number): void;
}

export interface UidRange {
  readonly first: number;
  readonly count: number;
}

/** Above what systems, containers and directory services hand out; the last one is no uid. */
const PREFERRED: UidRange = { first: 0x7000_0000, count: 0x0100_0000 };
/** Fewer are not worth calling a uid for each child. */
const LEAST = 256;
/** Kept free at the end of a small range, where `nobody` stands. */
const SPARED = 16;

/**
 * The uids that are ours to give, by the text of `/proc/self/uid_map`: in a container root may have only some.
 * `undefined`: too few.
 */
export function uidRange(uidMap: string): UidRange | undefined {
  const ranges = uidMap
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([first = 0, , count = 0]) => ({ first, count }));
  if (ranges.some((range) => holds(range, PREFERRED))) return PREFERRED;
  const largest = ranges.toSorted((a, b) => b.count - a.count)[0];
  if (largest === undefined) return undefined;
  const count = Math.floor(largest.count / 4);
  return count < LEAST ? undefined : { first: largest.first + largest.count - count - SPARED, count };
}

export function childUids({ first, count }: UidRange): ChildUids {
  const taken = new Set<number>();
  return {
    take(key) {
      const start = Bun.hash.crc32(key) % count;
      for (let step = 0; step < count; step++) {
        const uid = first + ((start + step) % count);
        if (taken.has(uid)) continue;
        taken.add(uid);
        return uid;
      }
      throw new Error('every uid for children is taken');
    },
    give: (uid) => void taken.delete(uid),
  };
}

function holds(outer: UidRange, inner: UidRange): boolean {
  return outer.first <= inner.first && outer.first + outer.count >= inner.first + inner.count;
}
