/** An instant as programs read it: RFC 3339 in UTC. `at` is epoch milliseconds. */
export function instantText(at: number): string {
  return new Date(at).toISOString();
}
