/** Paths as nearly all are: no escapes, no parameters, no segment that is empty or begins with a dot. */
const PLAIN = /^(?:\/[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*)*\/?$/;

/** What may stand in a path as it is: RFC 3986 section 3.3, and what browsers send besides; no control, space, `\`, `#`, `?`. */
const ALLOWED = /^[\w!"$&'()*+,./:;<=>@[\]^`{|}~-]*$/;

/** Bytes that RFC 3986 section 2.3 calls unreserved, as escapes; decoding them changes nothing. */
const UNRESERVED_ESCAPE = /%(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae]|3[0-9]|2d)/gi;

/** Escapes that some programs decode early and others late: `.`, `/`, `\`, and control characters. */
const AMBIGUOUS_ESCAPE = /%(?:2e|2f|5c|[01][0-9a-f]|7f)/i;

/** An escaped `%` before what could be the rest of an escape. */
const DOUBLE_ESCAPE = /%25[0-9a-f]{2}/i;

/** A segment that is a dot segment or nothing, alone or before a parameter (`/..;x/`), which servlet containers cut off. */
const AMBIGUOUS_SEGMENT = /\/(?:\.{1,2}(?:\/|;|%3B|$)|\/|;|%3B)/;

/**
 * The one spelling of a request path by which rules are looked up, or `undefined` where two programs could read the path
 * differently: dot segments, empty segments, `%2e`, `%2f`, `%5c`, double and broken escapes, control characters,
 * backslashes, bytes that are no UTF-8.
 * Escapes of unreserved characters are decoded, all others are kept in upper case (RFC 3986 section 6.2.2).
 */
export function canonicalPath(path: string): string | undefined {
  if (path.startsWith('/') && PLAIN.test(path)) return path;
  return canonicalOfUnusual(path);
}

function canonicalOfUnusual(path: string): string | undefined {
  if (!path.startsWith('/') || !ALLOWED.test(path.replaceAll(/%[0-9a-f]{2}/gi, ''))) return undefined;
  if (AMBIGUOUS_ESCAPE.test(path) || !isUtf8(path)) return undefined;
  const canonical = path
    .replaceAll(UNRESERVED_ESCAPE, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)))
    .replaceAll(/%[0-9a-f]{2}/gi, (escape) => escape.toUpperCase());
  if (DOUBLE_ESCAPE.test(canonical) || AMBIGUOUS_SEGMENT.test(canonical)) return undefined;
  return canonical.includes('%') && hidesDotSegment(canonical) ? undefined : canonical;
}

/** A segment of spaces, of nothing but a parameter, or of one dot or two, at whose end a query may seem to begin. */
const HIDDEN_SEGMENT = /\/(?:\s*(?:\/|;)|\s+$|\s*\.\s*(?:\.\s*)?(?:[/;?#]|$))/;

/**
 * Windows cuts spaces off the end of a name, and its code pages read full-width dots and slashes as plain ones; who
 * decodes before parsing finds a `?` or `#`.
 */
function hidesDotSegment(canonical: string): boolean {
  const plain = decodeURIComponent(canonical).normalize('NFKC');
  return plain.includes('\\') || HIDDEN_SEGMENT.test(plain);
}

/** Overlong forms are how `.` and `/` were smuggled past checks before. */
function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * The path as the most generous program could read it: every escape decoded, parameters (`;x`), what then looks like a
 * query and what Windows cuts off a name (dots and spaces at its end) gone, letters of one width and one case. Takes a
 * canonical path.
 */
export function lenientForm(canonical: string): string {
  if (!/[A-Z%;]|\.(?:\/|$)/.test(canonical)) return canonical;
  const decoded = canonical.includes('%') ? decodeURIComponent(canonical).normalize('NFKC') : canonical;
  // Through upper case as well, for letters that only meet there.
  return decoded
    .replace(/[?#].*$/s, '')
    .replaceAll(/;[^/]*/g, '')
    .replaceAll(/(?<![.\s])[.\s]+(?=\/|$)/g, '')
    .replaceAll(/\/{2,}/g, '/')
    .toUpperCase()
    .toLowerCase();
}
