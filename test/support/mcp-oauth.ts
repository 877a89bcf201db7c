import { createHash, randomBytes } from 'node:crypto';
import type { Browser, Visit } from './browser.ts';
import type { OidcTestProvider } from './oidc-provider.ts';

/** The OAuth flow of an MCP client, with a person who signs in and consents by script. */

/** What the person does with the page that asks for consent. */
export type Decision = 'allow' | 'deny';

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
}

const MAX_PAGES = 12;

/**
 * Goes through whatever pages lie between the authorization endpoint and the client: sign-in, the provider, consent.
 * Resolves to the redirect URI with its answer, which is not fetched. @throws when a page leads nowhere.
 */
export async function authorizeByScript(
  { browser, provider, subject }: { browser: Browser; provider: OidcTestProvider; subject: string },
  authorizeUrl: string | URL,
  decision: Decision = 'allow',
): Promise<URL> {
  const redirectUri = new URL(authorizeUrl).searchParams.get('redirect_uri') ?? '';
  const isBack = (url: URL) => url.href.startsWith(redirectUri);
  let visit = await browser.visit(authorizeUrl, {}, isBack);
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    if (isBack(visit.url)) return visit.url;
    const onward = onwardFrom(visit);
    if (onward !== undefined && isBack(onward)) return onward;
    if (onward !== undefined) visit = await browser.visit(onward, {}, isBack);
    else if (visit.url.pathname.startsWith('/interaction/'))
      visit = await provider.signIn(browser, visit, subject, isBack);
    else if (visit.url.pathname === '/sign-in') visit = await browser.visit(signInLink(visit), {}, isBack);
    else visit = await decide(browser, visit, decision, isBack);
  }
  throw new Error(`the pages do not end: ${visit.path.join(' ')}`);
}

/** A page between, from which a browser goes on by itself. */
function onwardFrom({ response, text, url }: Visit): URL | undefined {
  const header = /^0; url=(.*)$/.exec(response.headers.get('refresh') ?? '')?.[1];
  const [, inPage] = /http-equiv="refresh" content="0; ?url=([^"]+)"/.exec(text) ?? [];
  const target = header ?? (inPage === undefined ? undefined : unescapeHtml(inPage));
  return target === undefined ? undefined : new URL(target, url);
}

function signInLink({ text, url }: Visit): URL {
  const [href] = /\/sign-in\/home[^"]*/.exec(text) ?? [];
  if (href === undefined) throw new Error(`no way to sign in on ${url.href}: ${text}`);
  return new URL(unescapeHtml(href), url);
}

/** Presses a button of the form that asks for consent. */
function decide(
  browser: Browser,
  page: Visit,
  decision: Decision,
  isBack: (url: URL) => boolean,
): Promise<Visit> {
  const form = forms(page).find(({ buttons }) => buttons.some(({ value }) => value === decision));
  const button = form?.buttons.find(({ value }) => value === decision);
  if (form === undefined || button === undefined)
    throw new Error(`no consent on ${page.response.status} ${page.url.href}: ${page.text}`);
  const body = new URLSearchParams([...form.fields, [button.name, button.value]]);
  return browser.visit(
    form.action,
    { method: 'POST', body, headers: { origin: form.action.origin } },
    isBack,
  );
}

interface Form {
  readonly action: URL;
  readonly fields: readonly [string, string][];
  readonly buttons: readonly { name: string; value: string }[];
}

function forms({ text, url }: Visit): Form[] {
  return [...text.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)].map(([, head = '', inner = '']) => ({
    action: new URL(attribute(head, 'action') ?? '', url),
    fields: [...inner.matchAll(/<input\b([^>]*)>/g)].flatMap(([, input = '']): [string, string][] => {
      const name = attribute(input, 'name');
      const isChoice = /type="(radio|checkbox)"/.test(input) && !/\bchecked\b/.test(input);
      return name === undefined || isChoice ? [] : [[name, attribute(input, 'value') ?? '']];
    }),
    buttons: [...inner.matchAll(/<button\b([^>]*)>/g)].map(([, button = '']) => ({
      name: attribute(button, 'name') ?? '',
      value: attribute(button, 'value') ?? '',
    })),
  }));
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? undefined : unescapeHtml(value);
}

function unescapeHtml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}

/** Registers a public client (RFC 7591). @throws when it was refused. */
export async function registerClient(origin: string, redirectUri: string, name: string): Promise<string> {
  const response = await fetch(new URL('/oauth/register', origin), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: name,
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    }),
  });
  if (response.status !== 201) throw new Error(`not registered: ${response.status} ${await response.text()}`);
  const { client_id: clientId } = (await response.json()) as { client_id: string };
  return clientId;
}

/** What a client without a browser of its own needs to get tokens. */
export interface TokenRequest {
  readonly origin: string;
  readonly resource: string;
  readonly clientId: string;
  readonly redirectUri: string;
  /** Opens the page and comes back with where it ended. */
  readonly authorize: (url: URL) => Promise<URL>;
}

/** Authorization code flow with PKCE (RFC 6749, 7636) for one resource (RFC 8707). @throws when it is refused. */
export async function fetchTokens(request: TokenRequest): Promise<Tokens> {
  const { origin, resource, clientId, redirectUri } = request;
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(8).toString('hex');
  const url = new URL('/oauth/authorize', origin);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    resource,
  }).toString();
  const { searchParams: answer } = await request.authorize(url);
  const code = answer.get('code');
  if (code === null || answer.get('state') !== state) throw new Error(`no code: ${answer.toString()}`);
  return tokenRequest(origin, {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    client_id: clientId,
    redirect_uri: redirectUri,
    resource,
  });
}

/** @throws when the token endpoint refuses. */
async function tokenRequest(origin: string, fields: Record<string, string>): Promise<Tokens> {
  const response = await fetch(new URL('/oauth/token', origin), {
    method: 'POST',
    body: new URLSearchParams(fields),
  });
  if (response.status !== 200) throw new Error(`no token: ${response.status} ${await response.text()}`);
  return (await response.json()) as Tokens;
}
