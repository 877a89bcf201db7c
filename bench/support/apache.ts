import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { locatePeer } from '../../scripts/peers.ts';
import { Browser } from '../../test/support/browser.ts';
import { freePort } from '../../test/support/free-port.ts';
import { startOidcProvider } from '../../test/support/oidc-provider.ts';
import { type BenchServer, startServer } from './servers.ts';

/** `packaged`: the modules and the access log that Debian turns on. `lean`: no more than a check needs. */
export type ApacheSetup = 'packaged' | 'lean';

/** Apache with mod_auth_openidc, and the cookie of somebody who has signed in there. */
export interface SignedInApache extends BenchServer {
  path: string;
  cookie: string;
}

const MODULES = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'rewrite', 'auth_openidc'];
/** Its default name. */
const SESSION_COOKIE = 'mod_auth_openidc_session';
const CLIENT = { clientId: 'apache', clientSecret: 'a-secret-of-the-benchmark-alone' };

/** Starts Apache behind a real provider, and signs in once. Worker processes drop to `www-data`. */
export async function startSignedInApache(directory: string, setup: ApacheSetup): Promise<SignedInApache> {
  await using starting = new AsyncDisposableStack();
  const port = freePort();
  const origin = `http://127.0.0.1:${port}`;
  const provider = starting.use(
    await startOidcProvider({ clients: [{ ...CLIENT, redirectUris: [`${origin}/callback`] }] }),
  );
  const configuration = join(directory, `apache-${setup}.conf`);
  writeFileSync(configuration, apacheConfiguration({ directory, port, issuer: provider.issuer, setup }));
  const program = locatePeer('apache2');
  if (program === undefined)
    throw new Error('apache2 is missing: apt-get install apache2 libapache2-mod-auth-openidc');
  const command = [program, '-D', 'FOREGROUND', '-f', configuration];
  const server = starting.use(await startServer({ command, cwd: directory, origin, readyPath: '/open' }));
  const browser = new Browser();
  const page = await browser.visit(`${origin}/protected`);
  const landed = await provider.signIn(browser, page, 'somebody');
  if (landed.response.status !== 204)
    throw new Error(`signing in at Apache ended with ${landed.response.status}`);
  const running = starting.move();
  return {
    ...server,
    path: '/protected',
    cookie: `${SESSION_COOKIE}=${browser.cookies.get(origin, SESSION_COOKIE) ?? ''}`,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

interface ApacheOptions {
  directory: string;
  port: number;
  issuer: string;
  setup: ApacheSetup;
}

const load = (name: string) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`;

/** As in Debian's `apache2.conf` and `000-default.conf`; `auth_openidc` may be among what is turned on already. */
const packagedModules = (directory: string) => `
IncludeOptional /etc/apache2/mods-enabled/*.load
IncludeOptional /etc/apache2/mods-enabled/*.conf
<IfModule !auth_openidc_module>
${load('auth_openidc')}
</IfModule>
<IfModule !rewrite_module>
${load('rewrite')}
</IfModule>
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined
CustomLog "${directory}/access.log" combined`;

function apacheConfiguration({ directory, port, issuer, setup }: ApacheOptions): string {
  return `
ServerRoot "${directory}"
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile "${directory}/apache-${setup}.pid"
ErrorLog "${directory}/apache.log"
LogLevel error
DefaultRuntimeDir "${directory}"
Mutex sem default
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
${setup === 'packaged' ? packagedModules(directory) : MODULES.map(load).join('\n')}
KeepAlive On
MaxKeepAliveRequests 0
# As many workers from the first request to the last: those that come and go would cut connections.
StartServers 2
ServerLimit 2
ThreadsPerChild 50
MaxRequestWorkers 100
MaxSpareThreads 100
OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCClientID ${CLIENT.clientId}
OIDCClientSecret ${CLIENT.clientSecret}
OIDCRedirectURI http://127.0.0.1:${port}/callback
OIDCCryptoPassphrase a-passphrase-of-the-benchmark-alone
OIDCScope "openid profile email"
OIDCRemoteUserClaim sub
<Location /open>
  Require all granted
  RewriteEngine On
  RewriteRule ^ - [R=204]
</Location>
<Location /protected>
  AuthType openid-connect
  Require valid-user
  RewriteEngine On
  RewriteRule ^ - [R=204]
</Location>
<Location /callback>
  AuthType openid-connect
  Require valid-user
</Location>
`;
}
