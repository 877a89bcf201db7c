/** Longer targets are not kept, in characters. The way to a protected host holds a sealed path of up to 2048. */
const MAX_LENGTH = 4096;

/** Stands for our own origin while a path is resolved; no name under `.invalid` exists (RFC 2606 section 2). */
const HERE = 'https://here.invalid';

/**
 * Where to go after sign-in: a path of ours, or a URL whose origin `isAllowed` accepts; otherwise `landing`.
 * A result that begins with `/` never leaves this origin.
 */
export function safeReturnTo(
  value: string | null | undefined,
  isAllowed: (url: URL) => boolean,
  landing: string,
): string {
  if (value === null || value === undefined || value.length > MAX_LENGTH || isAmbiguous(value))
    return landing;
  return (value.startsWith('/') ? safePath(value) : safeUrl(value, isAllowed)) ?? landing;
}

/** Resolved first: `/.//host` looks like a path, and is one of another host once its dot is gone. */
function safePath(value: string): string | undefined {
  const url = URL.parse(value, HERE);
  if (url === null || url.origin !== HERE || url.pathname.startsWith('//')) return undefined;
  return url.pathname + url.search + url.hash;
}

function safeUrl(value: string, isAllowed: (url: URL) => boolean): string | undefined {
  if (!/^https?:\/\/[^/]/i.test(value)) return undefined;
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '') return undefined;
  return isAllowed(url) ? url.href : undefined;
}

/** Control characters, spaces and backslashes: browsers drop them or read them as a slash. */
function isAmbiguous(value: string): boolean {
  return Array.from(value).some((character) => {
    const code = character.charCodeAt(0);
    return code <= 0x20 || (code >= 0x7f && code <= 0x9f) || character === '\\';
  });
}
