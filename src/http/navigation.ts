import { AppError } from '../lib/app-error.ts';

/**
 * Holds that a person goes there: an image or a prefetch on some page would use up this browser's attempts.
 * @throws AppError `forbidden` (`not_a_navigation`).
 */
export function requireNavigation({ headers }: Request): void {
  const destination = headers.get('sec-fetch-dest') ?? 'document';
  if (destination === 'document' && !headers.has('sec-purpose')) return;
  throw new AppError('forbidden', 'not_a_navigation', 'Signing in begins with a click.');
}
