/** The status that a server answered instead of 101: the runtime tells it in words alone. */
export function statusIn(complaint: string): number | undefined {
  const [, status] = /status code: (\d{3})$/.exec(complaint) ?? [];
  return status === undefined ? undefined : Number(status);
}
