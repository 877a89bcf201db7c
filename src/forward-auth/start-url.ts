import { canonicalPath } from './canonical-path.ts';
import { MAX_RETURN_LENGTH, START_PATH } from './constants.ts';
import { pathOf } from './forwarded.ts';

/**
 * Where sign-in to a protected host begins. The path asked for follows the `?` as it stands, up to the end, so that no
 * proxy has to encode it.
 */
export function startUrl(origin: string, target: string): string {
  return `${origin}${START_PATH}?${target.length > MAX_RETURN_LENGTH ? '/' : printable(target)}`;
}

/** The path and query to come back to, from the URL of a start; `/` for what cannot be one. */
export function returnPathOf(url: string): string {
  const query = url.indexOf('?');
  const target = query === -1 ? '' : url.slice(query + 1);
  const path = canonicalPath(pathOf(target));
  if (path === undefined || isPosternPath(path) || target.length > MAX_RETURN_LENGTH) return '/';
  return printable(target);
}

/** Paths of protected hosts that are ours; the proxy hands them to us without a check. */
export function isPosternPath(canonical: string): boolean {
  return canonical === '/.postern' || canonical.startsWith('/.postern/');
}

/** What may stand in a URL as it is; `#` would end it early. Headers come as one character per byte. */
function printable(target: string): string {
  return target.replaceAll(/[^!"$-~]/g, (character) => {
    const byte = character.charCodeAt(0) & 0xff;
    return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
}
