/** At once where memory or the embedded store can answer; later where somebody else has to be asked. */
export type MaybePromise<T> = T | Promise<T>;
