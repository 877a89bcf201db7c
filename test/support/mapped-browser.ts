import { Browser } from './browser.ts';

/** Where every name leads, as DNS would lead them to one proxy. */
export interface Mapping {
  /** On 127.0.0.1. */
  port: number;
  /** The certificates that are believed, PEM; absent: the port speaks plain http, whatever the scheme of a URL. */
  ca?: string;
}

/** What a browser says of somebody who follows a link or types an address. */
const NAVIGATION = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

/** A browser that reaches every host at one port of this machine; what names 127.0.0.1 is where it says. */
export class MappedBrowser extends Browser {
  readonly #mapping: Mapping;

  constructor(mapping: Mapping) {
    super();
    this.#mapping = mapping;
  }

  override async fetch(target: string | URL, init: RequestInit = {}): Promise<Response> {
    const url = new URL(target);
    if (url.hostname === '127.0.0.1') return super.fetch(url, init);
    const cookie = this.cookies.header(url);
    const headers = new Headers({ ...NAVIGATION, host: url.host, ...(cookie !== '' && { cookie }) });
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
    const response = await fetchMapped(this.#mapping, url, { ...init, headers });
    this.cookies.store(url, response.headers.getSetCookie());
    return response;
  }
}

/** One request to the host of a URL, through the mapping; redirects are not followed. */
export function fetchMapped({ port, ca }: Mapping, url: URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (!headers.has('host')) headers.set('host', url.host);
  const scheme = ca === undefined ? 'http' : 'https';
  return fetch(`${scheme}://127.0.0.1:${port}${url.pathname}${url.search}`, {
    ...init,
    headers,
    redirect: 'manual',
    ...(ca !== undefined && { tls: { ca, serverName: url.hostname } }),
  });
}
