import { CookieJar } from './cookie-jar.ts';
import type { Turnstile } from './turnstile.ts';

const MAX_REDIRECTS = 20;

export interface Visit {
  /** Where the redirects ended. */
  url: URL;
  response: Response;
  text: string;
  /** Every URL asked for on the way, the last one included. */
  path: string[];
}

/** As much of a browser as a sign-in needs: cookies, redirects, and the headers by which servers know a navigation. */
export class Browser {
  readonly cookies = new CookieJar();
  readonly #headers: Record<string, string>;
  readonly #turnstile: Turnstile;

  /** `headers` go with every request; `turnstile` shares the process's outgoing requests among many browsers. */
  constructor(headers: Record<string, string> = {}, turnstile: Turnstile = (job) => job()) {
    this.#headers = headers;
    this.#turnstile = turnstile;
  }

  /** One exchange; redirects are not followed. */
  async fetch(target: string | URL, init: RequestInit = {}): Promise<Response> {
    const url = new URL(target);
    const headers = new Headers({ accept: 'text/html', ...this.#headers });
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
    const cookie = this.cookies.header(url);
    if (cookie !== '') headers.set('cookie', cookie);
    const response = await this.#turnstile(() => fetch(url, { ...init, headers, redirect: 'manual' }));
    this.cookies.store(url, response.headers.getSetCookie());
    return response;
  }

  /** Goes where redirects lead; stops before a URL that `stopAt` accepts, with the redirect to it. */
  async visit(target: string | URL, init: RequestInit = {}, stopAt?: (url: URL) => boolean): Promise<Visit> {
    let url = new URL(target);
    let response = await this.fetch(url, init);
    const path = [url.href];
    while (path.length <= MAX_REDIRECTS) {
      const location = response.headers.get('location');
      if (location === null) return { url, response, text: await response.text(), path };
      url = new URL(location, url);
      if (stopAt?.(url)) return { url, response, text: '', path };
      await response.body?.cancel();
      path.push(url.href);
      response = await this.fetch(url);
    }
    throw new Error(`too many redirects: ${path.join(' ')}`);
  }

  /** Posts a form as a page of `origin` would (by default the target's own). */
  submit(target: string | URL, fields: Record<string, string> = {}, origin?: string): Promise<Visit> {
    const url = new URL(target);
    return this.visit(url, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { origin: origin ?? url.origin },
    });
  }
}
