/** One covered component: its name, and its value in this request (RFC 9421 section 2). */
export type CoveredComponent = readonly [name: string, value: string];

/** The text that a signature is over (RFC 9421 section 2.5). `params` is the serialized value of `@signature-params`. */
export function signatureBase(components: readonly CoveredComponent[], params: string): string {
  let base = '';
  for (const [name, value] of components) base += `"${name}": ${value}\n`;
  return `${base}"@signature-params": ${params}`;
}

/** What of a request every signature covers. */
export interface RequestTarget {
  readonly method: string;
  /** Lower case, with its port unless that is the scheme's own. */
  readonly authority: string;
  /** Absolute, as an URL parser of the WHATWG writes it: only its path and query are read. */
  readonly url: string;
}

/** The components of a request in the order of the profile; `contentDigest` is the field, where there is a body. */
export function requestComponents(
  { method, authority, url }: RequestTarget,
  contentDigest: string | undefined,
): CoveredComponent[] {
  const [path, query] = splitTarget(url);
  const components: CoveredComponent[] = [
    ['@method', method],
    ['@authority', authority],
    ['@path', path],
    ['@query', query],
  ];
  if (contentDigest !== undefined) components.push(['content-digest', contentDigest]);
  return components;
}

/** `@path` and `@query` (RFC 9421 sections 2.2.6 and 2.2.7): the query has its `?`, and is `?` where there is none. */
function splitTarget(url: string): readonly [path: string, query: string] {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const question = url.indexOf('?', start);
  return question === -1 ? [url.slice(start), '?'] : [url.slice(start, question), url.slice(question)];
}
