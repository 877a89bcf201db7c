/** So that the host name `<service>--<handle>.<base>` has a label of at most 63 characters (RFC 1035 section 2.3.4). */
export const MAX_HANDLE_LENGTH = 30;

/** `-` and a number that no site needs all of. */
const MAX_END_LENGTH = 8;

/** What a device whose name has no letter that a host name could bear is called. */
const FALLBACK = 'device';

/**
 * The handle that suits a name: a DNS label without `--`, which parts service and handle in a host name. The first one that
 * nobody has: `kitchen`, `kitchen-2`, `kitchen-3`.
 */
export function handleFor(name: string, isTaken: (handle: string) => boolean): string {
  const wanted = labelOf(name);
  if (!isTaken(wanted)) return wanted;
  for (let number = 2; ; number++) {
    const end = `-${number}`;
    const handle = `${cut(wanted, MAX_HANDLE_LENGTH - end.length)}${end}`;
    if (!isTaken(handle)) return handle;
  }
}

/** How every handle begins that may come of this name. */
export const handlePrefix = (name: string): string => cut(labelOf(name), MAX_HANDLE_LENGTH - MAX_END_LENGTH);

/** Letters without their accents, everything else a hyphen between. */
export function labelOf(name: string): string {
  const plain = name.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
  const label = plain.replaceAll(/[^a-z0-9]+/g, '-').replace(/^-/, '');
  return cut(label, MAX_HANDLE_LENGTH) || FALLBACK;
}

function cut(label: string, length: number): string {
  return label.slice(0, length).replace(/-$/, '');
}
