/** What an act failed with; `undefined` when it did not. */
export const errorOf = (act: Promise<unknown>): Promise<unknown> =>
  act.then(
    () => undefined,
    (error: unknown) => error,
  );
