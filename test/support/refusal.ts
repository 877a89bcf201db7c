import { AppError } from '../../src/lib/app-error.ts';

/** The refusal an act ends in; fails when it succeeds, or fails otherwise. */
export async function refusalOf(act: Promise<unknown>): Promise<AppError> {
  const error = await act.then(
    () => new Error('it was not refused'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw error;
}
