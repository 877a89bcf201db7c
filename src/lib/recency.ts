/**
 * The order in which places were last used, as a doubly linked list in typed arrays: moving a place to the front costs a few
 * writes to small arrays, where a list of objects would touch memory all over the heap.
 */
export interface Recency {
  /** Takes a free place and makes it the newest. @throws RangeError when there is none: `remove(oldest())` first. */
  add(): number;
  /** Makes a taken place the newest. */
  use(place: number): void;
  /** Gives a taken place back. */
  remove(place: number): void;
  /** The taken place that was not used for longest; `undefined` when none is taken. */
  oldest(): number | undefined;
  readonly size: number;
  readonly capacity: number;
}

/** A list with room for `capacity` places, numbered from 0. */
export function recency(capacity: number): Recency {
  /** One more place closes the list to a ring, so that no end needs a case of its own. */
  const ring = capacity;
  // Links of free places are never read, so that memory is taken only as places are.
  const newer = new Uint32Array(capacity + 1);
  const older = new Uint32Array(capacity + 1);
  newer[ring] = ring;
  older[ring] = ring;
  const free: number[] = [];
  let used = 0;
  let size = 0;

  const at = (links: Uint32Array, place: number): number => links[place] ?? ring;
  const unlink = (place: number) => {
    newer[at(older, place)] = at(newer, place);
    older[at(newer, place)] = at(older, place);
  };
  const linkNewest = (place: number) => {
    const before = at(older, ring);
    older[place] = before;
    newer[place] = ring;
    newer[before] = place;
    older[ring] = place;
  };

  return {
    capacity,
    add() {
      const place = free.pop() ?? used++;
      if (place >= capacity) throw new RangeError('every place is taken');
      size++;
      linkNewest(place);
      return place;
    },
    use(place) {
      if (older[ring] === place) return;
      unlink(place);
      linkNewest(place);
    },
    remove(place) {
      unlink(place);
      free.push(place);
      size--;
    },
    oldest: () => (size === 0 ? undefined : at(newer, ring)),
    get size() {
      return size;
    },
  };
}
