interface StoredCookie {
  name: string;
  value: string;
  host: string;
  path: string;
}

/** The cookies of one browser. As in a browser, hosts tell them apart and ports do not (RFC 6265 section 8.5). */
export class CookieJar {
  #cookies: StoredCookie[] = [];

  store(url: URL, setCookies: readonly string[]): void {
    for (const text of setCookies) this.#storeOne(url, text);
  }

  /** The `Cookie` header for a request, longer paths first and older cookies first. */
  header(url: URL): string {
    return this.#matching(url)
      .sort((a, b) => b.path.length - a.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  get(url: URL | string, name: string): string | undefined {
    return this.#matching(new URL(url)).find((cookie) => cookie.name === name)?.value;
  }

  names(url: URL | string): string[] {
    return this.#matching(new URL(url)).map(({ name }) => name);
  }

  /** Of every host. */
  values(): string[] {
    return this.#cookies.map(({ value }) => value);
  }

  clear(): void {
    this.#cookies = [];
  }

  #matching({ hostname, pathname }: URL): StoredCookie[] {
    return this.#cookies.filter(({ host, path }) => host === hostname && pathMatches(pathname, path));
  }

  #storeOne({ hostname, pathname }: URL, text: string): void {
    const [pair = '', ...attributes] = text.split(';').map((part) => part.trim());
    const name = pair.slice(0, pair.indexOf('='));
    const path = attribute(attributes, 'path') ?? pathname.slice(0, Math.max(pathname.lastIndexOf('/'), 1));
    const cookie = { name, value: pair.slice(name.length + 1), host: hostname, path };
    const at = this.#cookies.findIndex((c) => c.name === name && c.host === hostname && c.path === path);
    if (isGone(attributes)) {
      if (at !== -1) this.#cookies.splice(at, 1);
    } else if (at === -1) {
      this.#cookies.push(cookie);
    } else {
      this.#cookies[at] = cookie;
    }
  }
}

function attribute(attributes: readonly string[], name: string): string | undefined {
  const found = attributes.find((each) => each.toLowerCase().startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}

function isGone(attributes: readonly string[]): boolean {
  const maxAge = attribute(attributes, 'max-age');
  if (maxAge !== undefined) return Number(maxAge) <= 0;
  const expires = attribute(attributes, 'expires');
  return expires !== undefined && Date.parse(expires) <= Date.now();
}

/** RFC 6265 section 5.1.4. */
function pathMatches(requestPath: string, cookiePath: string): boolean {
  if (requestPath === cookiePath || cookiePath === '/') return true;
  return requestPath.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`);
}
