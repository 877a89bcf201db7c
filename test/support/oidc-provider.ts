import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { type Context, Provider } from 'oidc-provider';
import type { Browser, Visit } from './browser.ts';
import { memoryAdapter } from './oidc-provider-store.ts';

/** Claims of one account beside `sub`. */
export type AccountClaims = Record<string, unknown>;

export interface OidcClientRegistration {
  clientId: string;
  clientSecret: string;
  redirectUris: readonly string[];
  postLogoutRedirectUris?: readonly string[];
  backchannelLogoutUri?: string;
  /** Whether logout tokens carry `sid` (default), or `sub` alone. */
  backchannelLogoutSessionRequired?: boolean;
  tokenEndpointAuthMethod?: 'client_secret_basic' | 'client_secret_post';
}

export interface OidcProviderOptions {
  clients: readonly OidcClientRegistration[];
  /** Accounts by subject; any other subject signs in too, with a name made of it. */
  accounts?: Record<string, AccountClaims>;
  /** `127.0.0.1` (default) or `localhost`: two providers on different hosts share no cookies. */
  host?: '127.0.0.1' | 'localhost';
  /** A port chosen ahead; by default any free one. */
  port?: number;
  /** More of oidc-provider's own configuration. */
  configuration?: Record<string, unknown>;
}

export interface OidcTestProvider extends AsyncDisposable {
  readonly issuer: string;
  /** Changes what an account claims from its next sign-in on. */
  setClaims(subject: string, claims: AccountClaims): void;
  /** Sends a logout token to a client, as the end of a session at the provider does. @throws unless it was accepted. */
  logOut(clientId: string, logout: { subject: string; sid: string | undefined }): Promise<void>;
  /** The `sid` of the newest sign-in of an account. */
  sidOf(subject: string): string | undefined;
  /** Signs in on the page the browser was sent to, and follows the redirects back. */
  signIn(browser: Browser, page: Visit, subject: string, stopAt?: (url: URL) => boolean): Promise<Visit>;
  /** Says no on that page. */
  deny(browser: Browser, page: Visit): Promise<Visit>;
  /** Says yes on the provider's own sign-out page. */
  confirmSignOut(browser: Browser, page: Visit): Promise<Visit>;
  /** Stands in front of every request; `pass` hands it on. Absent: all are handed on. */
  intercept: Intercept | undefined;
  /** What went wrong in logout tokens sent by the provider itself. */
  readonly logoutErrors: unknown[];
}

/** Answers a request in the place of the provider, or lets it pass, now or later. */
export type Intercept = (path: string, response: ServerResponse, pass: () => void) => void;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const DAY_SECONDS = 86_400;

/** How long what the provider gives lives, unless a test says otherwise. */
export const LIFETIMES_SECONDS = {
  AccessToken: 3_600,
  AuthorizationCode: 60,
  Grant: DAY_SECONDS,
  IdToken: 3_600,
  Interaction: 3_600,
  RefreshToken: DAY_SECONDS,
  Session: DAY_SECONDS,
};

/** A real OpenID provider in this process, on loopback; its sign-in page takes any subject, without a password. */
export async function startOidcProvider(options: OidcProviderOptions): Promise<OidcTestProvider> {
  const accounts = new Map(Object.entries(options.accounts ?? {}));
  const host = options.host ?? '127.0.0.1';
  let handle: Handler = (_request, response) => void response.writeHead(503).end();
  const server = createServer((request, response) => {
    const pass = () => handle(request, response);
    const { intercept } = running;
    if (intercept === undefined) return pass();
    // A body that nobody read would break the connection for what follows on it.
    response.once('finish', () => void request.resume());
    intercept(request.url ?? '', response, pass);
  });
  const running: { intercept: Intercept | undefined } = { intercept: undefined };
  const port = await listen(server, options.port ?? 0);
  const issuer = `http://${host}:${port}`;
  const provider = new Provider(issuer, await configuration(options, accounts, port));
  const logoutErrors: unknown[] = [];
  provider.on('backchannel.error', (_context, error) => logoutErrors.push(error));
  const sids = new Map<string, string | undefined>();
  provider.on('authorization.success', ({ oidc: { session, client } }) => {
    sids.set(session.accountId, session.sidFor(client.clientId));
  });
  handle = router(provider, formPolicy(options.clients));

  return {
    issuer,
    get intercept() {
      return running.intercept;
    },
    set intercept(intercept) {
      running.intercept = intercept;
    },
    logoutErrors,
    setClaims: (subject, claims) => void accounts.set(subject, claims),
    async logOut(clientId, { subject, sid }) {
      const client = await provider.Client.find(clientId);
      if (client === undefined) throw new Error(`no client ${clientId}`);
      await client.backchannelLogout(subject, sid);
    },
    sidOf: (subject) => sids.get(subject),
    signIn: (browser, page, subject, stopAt) =>
      submitInteraction(browser, page, { account: subject }, stopAt),
    deny: (browser, page) => submitInteraction(browser, page, { deny: 'yes' }),
    confirmSignOut: (browser, page) => {
      const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
      return browser.submit(new URL('/session/end/confirm', page.url), { xsrf, logout: 'yes' });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function submitInteraction(
  browser: Browser,
  page: Visit,
  fields: Record<string, string>,
  stopAt?: (url: URL) => boolean,
): Promise<Visit> {
  if (!page.url.pathname.startsWith('/interaction/')) {
    throw new Error(`not the provider's sign-in page: ${page.response.status} ${page.url.href} ${page.text}`);
  }
  return browser.visit(page.url, { method: 'POST', body: new URLSearchParams(fields) }, stopAt);
}

async function configuration(
  options: OidcProviderOptions,
  accounts: Map<string, AccountClaims>,
  port: number,
) {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: `key-${port}`, use: 'sig', alg: 'RS256' };
  return {
    adapter: memoryAdapter(),
    clients: options.clients.map(clientMetadata),
    jwks: { keys: [key] },
    // Cookies ignore ports, and two of these may run on one host.
    cookies: {
      keys: ['test'],
      names: { session: `op_${port}`, interaction: `op_i_${port}`, resume: `op_r_${port}` },
    },
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    findAccount: (_context: Context, subject: string) => ({
      accountId: subject,
      claims: async () => ({ sub: subject, ...(accounts.get(subject) ?? { preferred_username: subject }) }),
    }),
    loadExistingGrant: grantEverything,
    interactions: { url: (_context: Context, { uid }: { uid: string }) => `/interaction/${uid}` },
    rotateRefreshToken: true,
    ttl: LIFETIMES_SECONDS,
    renderError: (context: Context, out: { error?: string; error_description?: string }) => {
      context.type = 'html';
      context.body = `<p>${out.error}: ${out.error_description}</p>`;
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource },
      revocation: { enabled: true },
    },
    ...options.configuration,
  };
}

function clientMetadata(client: OidcClientRegistration) {
  return {
    client_id: client.clientId,
    client_secret: client.clientSecret,
    redirect_uris: client.redirectUris,
    post_logout_redirect_uris: client.postLogoutRedirectUris ?? [],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: client.tokenEndpointAuthMethod ?? 'client_secret_basic',
    ...(client.backchannelLogoutUri !== undefined && {
      backchannel_logout_uri: client.backchannelLogoutUri,
      backchannel_logout_session_required: client.backchannelLogoutSessionRequired ?? true,
    }),
  };
}

/** Nobody is asked for consent: these clients are the operator's own. */
async function grantEverything({ oidc }: Context) {
  const grant = new oidc.provider.Grant({
    clientId: oidc.client.clientId,
    accountId: oidc.session.accountId,
  });
  grant.addOIDCScope('openid profile email groups offline_access');
  await grant.save();
  return grant;
}

function logoutSource(context: Context, form: string) {
  context.type = 'html';
  context.body = `<h1>Sign out?</h1>${form}<button form="op.logoutForm" name="logout" value="yes">Yes</button>`;
}

function postLogoutSuccessSource(context: Context) {
  context.type = 'html';
  context.body = '<h1>Signed out at the provider</h1>';
}

function router(provider: Provider, policy: string) {
  const protocol = provider.callback();
  return (request: IncomingMessage, response: ServerResponse) => {
    const interaction = request.url?.startsWith('/interaction/') === true;
    if (!interaction) return protocol(request, response);
    interact(provider, policy, request, response).catch((error: unknown) =>
      response.writeHead(400).end(String(error)),
    );
  };
}

const SIGN_IN_PAGE = `<!doctype html><title>Provider</title><form method="post">
<label>Account <input name="account"></label><button>Sign in</button><button name="deny" value="yes">Deny</button></form>`;

/** As strict providers have it: a form may lead to redirect URIs of clients, and no further (CSP3 section 6.4.1). */
function formPolicy(clients: readonly OidcClientRegistration[]): string {
  const uris = clients.flatMap(({ redirectUris }) => redirectUris);
  return ["form-action 'self'", ...new Set(uris.map((uri) => new URL(uri).origin))].join(' ');
}

async function interact(
  provider: Provider,
  policy: string,
  request: IncomingMessage,
  response: ServerResponse,
) {
  if (request.method !== 'POST') {
    await provider.interactionDetails(request, response);
    const headers = { 'content-type': 'text/html', 'content-security-policy': policy };
    response.writeHead(200, headers).end(SIGN_IN_PAGE);
    return;
  }
  const fields = new URLSearchParams(await bodyText(request));
  const account = fields.get('account');
  const result =
    fields.has('deny') || account === null
      ? { error: 'access_denied', error_description: 'The person said no.' }
      : { login: { accountId: account }, consent: {} };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

async function bodyText(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

function listen(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') return reject(new Error('no TCP address'));
      resolve(address.port);
    });
  });
}
