/**
 * Values that our own pages show in the place of a secret; whoever copies one shares it with every reader.
 * A test looks through the documentation for others.
 */
export const DOCUMENTED_SECRETS: ReadonlySet<string> = new Set([
  'at-least-32-random-bytes-of-your-own',
  'the-secret-before-it-of-32-bytes-or-more',
]);
