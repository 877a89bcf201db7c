/** Functions to be told of something; one that throws keeps nobody else from hearing. */
export interface Listeners<T> {
  readonly add: (listener: (event: T) => void) => Disposable;
  readonly tell: (event: T) => void;
}

export function listeners<T>(onError: (error: unknown) => void): Listeners<T> {
  const all = new Set<(event: T) => void>();
  return {
    add(listener) {
      const own = (event: T) => listener(event);
      all.add(own);
      return { [Symbol.dispose]: () => void all.delete(own) };
    },
    tell(event) {
      for (const listener of all) {
        try {
          listener(event);
        } catch (error) {
          onError(error);
        }
      }
    },
  };
}
