import { describe, expect, test } from 'bun:test';
import { configDirectory, problemsOf } from '../../support/config-directory.ts';

const HTTPS = 'url = "https://auth.example.com"\n';
const PROXIES = 'trusted_proxies = ["127.0.0.1/32"]\n';

const github = 'kind = "github"';
const upstream = (lines: string, name = 'forge') => `
[[upstream.provider]]
name = "${name}"
client_id = "postern"
client_secret = "keep this to yourself"
${lines}
`;

const provider = (lines: string, name = 'home') => `
[[provider]]
name = "${name}"
${lines.includes('issuer =') ? '' : 'issuer = "https://id.example.com"'}
client_id = "postern"
client_secret = "keep this to yourself"
${lines.includes('allow =') ? '' : 'allow = "everyone"'}
${lines}
`;

const rule = (lines: string) => `
[[forward_auth.rule]]
${lines.includes('host =') ? '' : 'host = "app.localhost"'}
${lines.includes('allow =') ? '' : 'allow = "everyone"'}
${lines}
`;

const deviceRule = (lines: string) => `
[[devices.rule]]
${lines.includes('allow =') ? '' : 'allow = "everyone"'}
${lines}
`;

const LONG = 'x'.repeat(32);

/** What stands in the file, the key that is complained of, what the complaint shows, says and offers instead. */
const REFUSALS: [toml: string, key: string, found: string | undefined, expected: string, meant?: string][] = [
  // url
  ['url = "http://auth.example.com"', 'url', '"http://auth.example.com"', 'http is for loopback alone'],
  [
    'url = "http://localhost.example.com"',
    'url',
    '"http://localhost.example.com"',
    'http is for loopback alone',
  ],
  ['url = "http://127.0.0.2"', 'url', '"http://127.0.0.2"', 'http is for loopback alone'],
  ['url = "https://auth.example.com/path"', 'url', '"https://auth.example.com/path"', 'no user, path, query'],
  ['url = "https://auth.example.com/?"', 'url', '"https://auth.example.com/?"', 'no user, path, query'],
  ['url = "https://auth.example.com#x"', 'url', '"https://auth.example.com#x"', 'no user, path, query'],
  [
    'url = "https://ada:pass@auth.example.com"',
    'url',
    '"https://…@auth.example.com"',
    'no user, path, query',
  ],
  ['url = "ftp://auth.example.com"', 'url', '"ftp://auth.example.com"', 'an origin like'],
  ['url = "auth.example.com"', 'url', '"auth.example.com"', 'an origin like'],
  ['url = "https://auth..example.com"', 'url', '"https://auth..example.com"', 'an origin like'],
  ['url = "https://nas"', 'url', '"https://nas"', 'at least 4 characters'],
  ['url = ""', 'url', '""', 'an origin like'],
  ['url = 7', 'url', '7', 'an origin like'],
  // addresses to listen on
  ['listen = "7400"', 'listen', '"7400"', 'host:port'],
  ['listen = ":7400"', 'listen', '":7400"', 'host:port'],
  ['listen = "127.0.0.1:70000"', 'listen', '"127.0.0.1:70000"', 'host:port'],
  ['listen = "::1:7400"', 'listen', '"::1:7400"', 'host:port'],
  ['listen = "http://127.0.0.1:7400"', 'listen', '"http://127.0.0.1:7400"', 'host:port'],
  ['metrics_listen = "127.0.0.1"', 'metrics_listen', '"127.0.0.1"', 'host:port'],
  ['listen = "0.0.0.0:7400"', 'listen', '"0.0.0.0:7400"', 'because url is http'],
  ['listen = "192.168.0.2:7400"', 'listen', '"192.168.0.2:7400"', 'because url is http'],
  ['listen = "127.0.0.1:7401"', 'metrics_listen', '"127.0.0.1:7401"', 'other than that of listen'],
  [`${HTTPS}listen = "0.0.0.0:7401"`, 'metrics_listen', '"127.0.0.1:7401"', 'other than that of listen'],
  ['listen = "localhost:1"\nmetrics_listen = "127.0.0.1:1"', 'metrics_listen', '"127.0.0.1:1"', 'other than'],
  // the other keys at the top
  ['data_dir = ""', 'data_dir', '""', 'a directory'],
  ['data_dir = "a\\nb"', 'data_dir', '"a\\nb"', 'on one line'],
  ['secret = "short"', 'secret', 'a value that is not shown', 'at least 32 bytes'],
  ['secret = 5', 'secret', 'a value that is not shown', 'at least 32 bytes'],
  [
    'secret = "at-least-32-random-bytes-of-your-own"',
    'secret',
    'a value that is not shown',
    'stands in the documentation',
  ],
  ['previous_secrets = ["short"]', 'previous_secrets[0]', 'a value that is not shown', 'at least 32 bytes'],
  ['previous_secrets = "short"', 'previous_secrets', 'a value that is not shown', 'a list of secrets'],
  [`secret = "${LONG}"\nprevious_secrets = ["${LONG}"]`, 'previous_secrets', 'a list', 'secrets that differ'],
  [`previous_secrets = ["${LONG}", "${LONG}"]`, 'previous_secrets', 'a list', 'secrets that differ'],
  ['trusted_proxies = ["10.0.0.0/33"]', 'trusted_proxies[0]', '"10.0.0.0/33"', 'a CIDR range'],
  ['trusted_proxies = ["10.0.0.1/8"]', 'trusted_proxies[0]', '"10.0.0.1/8"', 'no bit set beyond'],
  ['trusted_proxies = ["proxy.home"]', 'trusted_proxies[0]', '"proxy.home"', 'a CIDR range'],
  ['trusted_proxies = "10.0.0.0/8"', 'trusted_proxies', '"10.0.0.0/8"', 'a list of CIDR ranges'],
  ['trusted_proxies = ["0.0.0.0/0"]', 'trusted_proxies', 'a list', 'every address'],
  ['trusted_proxies = ["::/0"]', 'trusted_proxies', 'a list', 'every address'],
  ['trusted_proxies = ["::ffff:0:0/96"]', 'trusted_proxies', 'a list', 'every address'],
  ['trusted_proxies = ["128.0.0.0/1", "0.0.0.0/1"]', 'trusted_proxies', 'a list', 'every address'],
  ['trusted_proxies = ["::/2", "4000::/2", "8000::/1"]', 'trusted_proxies', 'a list', 'every address'],
  ['demo = "yes"', 'demo', '"yes"', 'true or false'],
  [`${HTTPS}demo = true`, 'demo', 'true', 'url is reachable from other machines'],
  ['tls = "self-signed"', 'tls', '"self-signed"', 'url is http'],
  [`${HTTPS}tls = "letsencrypt"`, 'tls', '"letsencrypt"', '"self-signed", or a table of cert and key'],
  [`${HTTPS}[tls]\ncert = "c.pem"`, 'tls.key', 'nothing', 'a file'],
  [
    `${HTTPS}[tls]\ncert = "c.pem"\nkey = """-----BEGIN X-----\nabc"""`,
    'tls.key',
    'a value that is not shown',
    'one line',
  ],
  // tables and bounds
  ['sessions = 5', 'sessions', 'a value that is not shown', 'a table [sessions]'],
  ['provider = "home"', 'provider', 'a value that is not shown', '[[provider]]'],
  ['[provider]\nname = "home"', 'provider', 'a table', '[[provider]]'],
  ['[log]\nlevel = "loud"', 'log.level', '"loud"', '"debug", "info", "warn" or "error"'],
  ['[database]\nauto_migrate = 1', 'database.auto_migrate', '1', 'true or false'],
  ['[sessions]\nidle_timeout = "0s"', 'sessions.idle_timeout', '"0s"', 'above zero'],
  ['[sessions]\nidle_timeout = "-5s"', 'sessions.idle_timeout', '"-5s"', 'a duration'],
  ['[sessions]\nidle_timeout = 30', 'sessions.idle_timeout', '30', 'a duration'],
  ['[sessions]\nidle_timeout = "30"', 'sessions.idle_timeout', '"30"', 'a duration'],
  ['[sessions]\nidle_timeout = "0.4ms"', 'sessions.idle_timeout', '"0.4ms"', 'above zero'],
  ['[audit]\nretention = "4000d"', 'audit.retention', '"4000d"', 'at most 3650d'],
  [
    '[sessions]\nidle_timeout = "31d"',
    'sessions.idle_timeout',
    '"31d"',
    'sessions.absolute_lifetime, which is 30d',
  ],
  ['[sessions]\nabsolute_lifetime = "1h"', 'sessions.idle_timeout', '"24h"', 'which is 1h'],
  ['[sessions]\npersonal_max_lifetime = "366d"', 'sessions.personal_max_lifetime', '"366d"', 'at most 365d'],
  ['[sessions]\ncache_size = 0', 'sessions.cache_size', '0', 'a whole number from 1'],
  ['[sessions]\ncache_size = -1', 'sessions.cache_size', '-1', 'a whole number from 1'],
  ['[sessions]\ncache_size = 1.5', 'sessions.cache_size', '1.5', 'a whole number from 1'],
  ['[sessions]\ncache_size = nan', 'sessions.cache_size', 'nan', 'a whole number from 1'],
  ['[sessions]\ncache_size = inf', 'sessions.cache_size', 'inf', 'a whole number from 1'],
  ['[sessions]\ncache_size = 1e18', 'sessions.cache_size', '1000000000000000000', 'to 10000000'],
  ['[sessions]\ncache_size = "5"', 'sessions.cache_size', '"5"', 'a whole number from 1'],
  ['[sign_in]\nlanding = "app"', 'sign_in.landing', '"app"', 'a path'],
  [
    '[sign_in]\nlanding = "//evil.example.com"',
    'sign_in.landing',
    '"//evil.example.com"',
    'begins with one /',
  ],
  [
    '[sign_in]\nlanding = "/\\\\evil.example.com"',
    'sign_in.landing',
    '"/\\\\evil.example.com"',
    'begins with one /',
  ],
  [
    '[sign_in]\nlanding = "/.//evil.example.com"',
    'sign_in.landing',
    '"/.//evil.example.com"',
    'begins with one /',
  ],
  ['[cors]\nallowed_origins = ["*"]', 'cors.allowed_origins[0]', '"*"', 'a wildcard would let any site'],
  [
    '[cors]\nallowed_origins = ["https://*.example.com"]',
    'cors.allowed_origins[0]',
    '"https://*.example.com"',
    'a wildcard',
  ],
  [
    '[cors]\nallowed_origins = ["https://a.example.com/"]',
    'cors.allowed_origins[0]',
    '"https://a.example.com/"',
    'browsers send it',
    'https://a.example.com',
  ],
  [
    '[cors]\nallowed_origins = ["HTTPS://a.example.com:443"]',
    'cors.allowed_origins[0]',
    '"HTTPS://a.example.com:443"',
    'browsers send it',
    'https://a.example.com',
  ],
  ['[cors]\nallowed_origins = ["null"]', 'cors.allowed_origins[0]', '"null"', 'an origin like'],
  // providers
  [provider('').replace('"home"', '"Home"'), 'provider.Home.name', '"Home"', 'lower-case letters'],
  [provider('').replace('name = "home"', ''), 'provider[0].name', 'nothing', 'a short name'],
  [provider('') + provider(''), 'provider.home.name', '"home"', 'another provider has this one'],
  [provider('upstream_params = ["prompt"]'), 'provider.home.upstream_params[0]', '"prompt"', 'name=value'],
  // providers of tokens alone
  [
    provider('') + upstream(github, 'home'),
    'upstream.provider.home.name',
    '"home"',
    'another provider has this one',
  ],
  [
    upstream(github) + upstream(github),
    'upstream.provider.forge.name',
    '"forge"',
    'another provider has this one',
  ],
  [upstream('kind = "forgejo"'), 'upstream.provider.forge.issuer', 'nothing', 'the address of this server'],
  [upstream(''), 'upstream.provider.forge.issuer', 'nothing', 'the issuer of this OpenID provider'],
  [upstream('kind = "bitbucket"'), 'upstream.provider.forge.kind', '"bitbucket"', '"forgejo"'],
  [
    upstream('kind = "github"\nparams = ["state=x"]'),
    'upstream.provider.forge.params[0]',
    '"state=x"',
    'ours to send',
  ],
  [
    upstream('kind = "github"\nscopes = ["a\\nb"]'),
    'upstream.provider.forge.scopes[0]',
    '"a\\nb"',
    'on one line',
  ],
  ['[upstream]\nrefresh_timeout = "0s"', 'upstream.refresh_timeout', '"0s"', 'above zero'],
  [
    provider('issuer = "http://id.example.com"'),
    'provider.home.issuer',
    '"http://id.example.com"',
    'an https URL',
  ],
  [
    provider('issuer = "https://id.example.com?x=1"'),
    'provider.home.issuer',
    '"https://id.example.com?x=1"',
    'without query',
  ],
  [
    provider('issuer = "id.example.com"'),
    'provider.home.issuer',
    '"id.example.com"',
    'the URL the provider publishes',
  ],
  [
    provider('').replace(/issuer = .*/, ''),
    'provider.home.issuer',
    'nothing',
    'the issuer of this OpenID provider',
  ],
  [provider('kind = "oauth"'), 'provider.home.kind', '"oauth"', '"oidc" or "github"'],
  [provider('scopes = ["email"]'), 'provider.home.scopes', 'a list', 'the scope openid'],
  [provider('').replace(/client_id = .*/, ''), 'provider.home.client_id', 'nothing', 'the client id'],
  [
    provider('').replace(/client_secret = .*/, ''),
    'provider.home.client_secret',
    'nothing',
    'the client secret',
  ],
  [
    provider('').replace(/client_secret = .*/, 'client_secret = 7'),
    'provider.home.client_secret',
    'a value that is not shown',
    'the client secret',
  ],
  [provider('').replace(/allow = .*/, ''), 'provider.home.allow', 'nothing', '"everyone", or a table'],
  [provider('allow = "everybody"'), 'provider.home.allow', '"everybody"', '"everyone", or a table'],
  [provider('allow = {}'), 'provider.home.allow', 'a table', 'an empty table lets nobody in'],
  [provider('allow = { emails = [] }'), 'provider.home.allow', 'a table', 'an empty table lets nobody in'],
  [
    provider('allow = { emails = ["ada@home@x"] }'),
    'provider.home.allow.emails[0]',
    '"ada@home@x"',
    'an e-mail address',
  ],
  [
    provider('allow = { domains = ["@example.com"] }'),
    'provider.home.allow.domains[0]',
    '"@example.com"',
    'the domain in its canonical form',
    'example.com',
  ],
  [
    provider('allow = { domains = ["Example.com"] }'),
    'provider.home.allow.domains[0]',
    '"Example.com"',
    'the domain in its canonical form',
    'example.com',
  ],
  [
    provider('owners = "everyone"'),
    'provider.home.owners',
    'a value that is not shown',
    'a table of subjects',
  ],
  // devices
  [
    '[devices]\nbase = "https://devices.home"',
    'devices.base',
    '"https://devices.home"',
    'a host name that hosts',
  ],
  ['[devices]\nbase = "devices.home/x"', 'devices.base', '"devices.home/x"', 'a host name that hosts'],
  ['[devices]\nbase = "192.0.2.1"', 'devices.base', '"192.0.2.1"', 'a host name that hosts'],
  ['[devices]\nbase = "0x7f.1"', 'devices.base', '"0x7f.1"', 'a host name that hosts'],
  ['[devices]\nbase = "[::1]:7400"', 'devices.base', '"[::1]:7400"', 'a host name that hosts'],
  [
    '[devices]\nbase = "devices.localhost:0"',
    'devices.base',
    '"devices.localhost:0"',
    'a host name that hosts',
  ],
  [
    '[devices]\nbase = "devices.localhost."',
    'devices.base',
    '"devices.localhost."',
    'a host name that hosts',
  ],
  [
    '[devices]\nbase = "*.devices.home"',
    'devices.base',
    '"*.devices.home"',
    'the name alone',
    'devices.home',
  ],
  ['[devices]\nbase = ".devices.home"', 'devices.base', '".devices.home"', 'the name alone', 'devices.home'],
  [
    '[devices]\nbase = "Devices.Home"',
    'devices.base',
    '"Devices.Home"',
    'in its canonical form',
    'devices.home',
  ],
  [
    `${HTTPS}[devices]\nbase = "${'a.'.repeat(95)}x"`,
    'devices.base',
    `"${'a.'.repeat(40)}…"`,
    'at most 189 characters',
  ],
  [`${HTTPS}[devices]\nbase = "auth.example.com"`, 'devices.base', '"auth.example.com"', 'host of url'],
  [`${HTTPS}[devices]\nbase = "example.com"`, 'devices.base', '"example.com"', 'host of url'],
  [`${HTTPS}[devices]\nbase = "com"`, 'devices.base', '"com"', 'host of url'],
  [`${HTTPS}[devices]\nbase = "example.com:8443"`, 'devices.base', '"example.com:8443"', 'host of url'],
  [
    `${HTTPS}${PROXIES}[devices]\nbase = "apps.example"${rule('host = "nas.apps.example:8443"')}`,
    'devices.base',
    '"apps.example"',
    'the protected host nas.apps.example:8443 is not',
  ],
  [
    `${HTTPS}${PROXIES}[devices]\nbase = "nas.example"${rule('host = "nas.example"')}`,
    'devices.base',
    '"nas.example"',
    'the protected host nas.example is not',
  ],
  ['[devices]\nbase = "localhost:7400"', 'devices.base', '"localhost:7400"', 'host of url'],
  ['[devices]\nbase = "devices.home"', 'devices.base', '"devices.home"', 'because url is http'],
  ['[devices]\nbase = "devices.localhost:80"', 'devices.base', '"devices.localhost:80"', 'without :80'],
  [`${HTTPS}[devices]\nbase = "devices.home:443"`, 'devices.base', '"devices.home:443"', 'without :443'],
  [deviceRule('device = "Pi"'), 'devices.rule[0].device', '"Pi"', 'a handle'],
  [deviceRule('device = "a--b"'), 'devices.rule[0].device', '"a--b"', 'a handle'],
  [deviceRule('device = "pi*"'), 'devices.rule[0].device', '"pi*"', 'a handle'],
  [deviceRule(''), 'devices.rule[0].device', 'nothing', 'a device or labels'],
  [deviceRule('labels = {}'), 'devices.rule[0].labels', 'a table', 'at least one label'],
  [
    deviceRule('device = "pi"\nservices = []'),
    'devices.rule[0].services',
    'an empty list',
    'at least one service',
  ],
  [
    deviceRule('device = "pi"\nservices = ["xn"]'),
    'devices.rule[0].services[0]',
    '"xn"',
    'single hyphens between them',
  ],
  [
    deviceRule('device = "pi"\nservices = ["a--b"]'),
    'devices.rule[0].services[0]',
    '"a--b"',
    'single hyphens between them',
  ],
  [
    deviceRule('device = "pi"\nallow = "public"'),
    'devices.rule[0].allow',
    '"public"',
    '"everyone", "owners"',
  ],
  [deviceRule('device = "pi"\nallow = {}'), 'devices.rule[0].allow', 'a table', 'somebody in at least one'],
  [
    provider('') + provider('', 'work') + deviceRule('device = "pi"\nallow = { subjects = ["4711"] }'),
    'devices.rule[0].allow.subjects[0]',
    '"4711"',
    'behind the name of its provider',
  ],
  // forward-auth
  [rule(''), 'trusted_proxies', 'an empty list', 'because there are forward_auth rules'],
  [
    PROXIES + rule('host = "App.Home"'),
    'forward_auth.rule[0].host',
    '"App.Home"',
    'the host in its canonical form',
    'app.home',
  ],
  [
    PROXIES + rule('host = "bücher.example"'),
    'forward_auth.rule[0].host',
    '"bücher.example"',
    'the host in its canonical form',
    'xn--bcher-kva.example',
  ],
  [
    PROXIES + rule('host = "https://app.home"'),
    'forward_auth.rule[0].host',
    '"https://app.home"',
    'without scheme and path',
  ],
  [
    PROXIES + rule('host = "app.home/x"'),
    'forward_auth.rule[0].host',
    '"app.home/x"',
    'without scheme and path',
  ],
  [PROXIES + rule('host = "*.home"'), 'forward_auth.rule[0].host', '"*.home"', 'no wildcards'],
  [PROXIES + rule('host = "app.home."'), 'forward_auth.rule[0].host', '"app.home."', 'a host name'],
  [PROXIES + rule('host = "app home"'), 'forward_auth.rule[0].host', '"app home"', 'a host name'],
  [
    PROXIES + rule('host = "127.1"'),
    'forward_auth.rule[0].host',
    '"127.1"',
    'the host in its canonical form',
    '127.0.0.1',
  ],
  [
    PROXIES + rule('host = "app.home:080"'),
    'forward_auth.rule[0].host',
    '"app.home:080"',
    'the host in its canonical form',
    'app.home:80',
  ],
  [PROXIES + rule('host = "app.home:0"'), 'forward_auth.rule[0].host', '"app.home:0"', 'a host name'],
  [PROXIES + rule('host = "nas"'), 'forward_auth.rule[0].host', '"nas"', 'at least 4 characters'],
  [
    PROXIES + rule('host = "localhost:7400"'),
    'forward_auth.rule[0].host',
    '"localhost:7400"',
    'other than that of url',
  ],
  [
    PROXIES + rule('host = "app.home"'),
    'forward_auth.rule[0].host',
    '"app.home"',
    'a host on loopback like app.localhost',
  ],
  [
    HTTPS + PROXIES + rule('host = "auth.example.com"'),
    'forward_auth.rule[0].host',
    '"auth.example.com"',
    'other than that of url',
  ],
  [
    HTTPS + PROXIES + rule('host = "app.home:443"'),
    'forward_auth.rule[0].host',
    '"app.home:443"',
    'without :443',
  ],
  [
    PROXIES + rule('host = "app.localhost:80"'),
    'forward_auth.rule[0].host',
    '"app.localhost:80"',
    'without :80',
  ],
  [
    PROXIES + rule('') + rule(''),
    'forward_auth.rule[1].host',
    '"app.localhost"',
    'another rule is for app.localhost and /',
  ],
  [
    PROXIES + provider('') + provider('', 'work') + rule('allow = { subjects = ["home:1", "1"] }'),
    'forward_auth.rule[0].allow.subjects[1]',
    '"1"',
    'a subject behind the name of its provider',
  ],
  [PROXIES + rule('path = "admin"'), 'forward_auth.rule[0].path', '"admin"', 'begins with /'],
  [
    PROXIES + rule('path = "/admin/"'),
    'forward_auth.rule[0].path',
    '"/admin/"',
    'without the slash at its end',
    '/admin',
  ],
  [PROXIES + rule('path = "//"'), 'forward_auth.rule[0].path', '"//"', 'without the slash at its end', '/'],
  ...['/a//b', '/a/../b', '/./a', '/a%2fb', '/a?b', '/a#b', '/a b', '/a;b', '/．．', '/a／b'].map(
    (path): [string, string, string, string] => [
      PROXIES + rule(`path = "${path}"`),
      'forward_auth.rule[0].path',
      `"${path}"`,
      'a plain path',
    ],
  ),
  [
    PROXIES + rule('allow = "nobody"'),
    'forward_auth.rule[0].allow',
    '"nobody"',
    '"everyone", "owners", "public", or a table',
  ],
  [PROXIES + rule('allow = { groups = [] }'), 'forward_auth.rule[0].allow', 'a table', 'an empty table'],
  [
    PROXIES + rule('allowed_origins = ["app.home"]'),
    'forward_auth.rule[0].allowed_origins[0]',
    '"app.home"',
    'an origin like',
  ],
];

describe('a configuration file is refused', () => {
  const cases = REFUSALS.map(([toml, key, found, expected, meant]) => ({
    toml,
    key,
    found,
    expected,
    meant,
  }));
  test.each(cases)('$key: found $found; expected $expected', ({ toml, key, found, expected, meant }) => {
    const problems = problemsOf(toml);
    expect(problems).toEqual([expect.objectContaining({ key, found, nearest: meant })]);
    expect(problems[0]?.expected).toContain(expected);
  });
});

describe('an unknown key is refused, with the known one that was meant', () => {
  const cases: [toml: string, key: string, nearest: string | undefined][] = [
    ['lisen = "127.0.0.1:1"', 'lisen', 'listen'],
    ['[sesions]\ncache_size = 5', 'sesions', 'sessions'],
    ['[sessions]\ncach_size = 5', 'sessions.cach_size', 'sessions.cache_size'],
    ['cache_size = 5', 'cache_size', 'sessions.cache_size'],
    ['[http]\nidle_timeout = "5s"', 'http.idle_timeout', 'sessions.idle_timeout'],
    [provider('client_secrte = "hush hush"'), 'provider.home.client_secrte', 'provider.home.client_secret'],
    [
      provider('allow = { email = ["a@example.com"] }'),
      'provider.home.allow.email',
      'provider.home.allow.emails',
    ],
    [`${HTTPS}[tls]\ncert = "c"\nkey = "k"\nkeys = "x"`, 'tls.keys', 'tls.key'],
    ['nothing_like_any = 1', 'nothing_like_any', undefined],
    ['[__proto__]\nx = 1', '__proto__', undefined],
    ['constructor = 1', 'constructor', undefined],
    [`${'x'.repeat(500)} = 1`, `${'x'.repeat(80)}…`, undefined],
  ];
  test.each(cases.map(([toml, key, nearest]) => ({ toml, key, nearest })))(
    '$key, $nearest',
    ({ toml, key, nearest }) => {
      expect(problemsOf(toml)).toContainEqual(
        expect.objectContaining({ key, found: undefined, expected: 'there is no such key', nearest }),
      );
    },
  );
});

test('everything is reported at once, also what does not go together beside what is wrong in itself', () => {
  const toml = `
    listen = "0.0.0.0:7400"
    sesions = 1
    [http]
    head_timeout = "soon"
    ${provider('issuer = "nonsense"')}
    ${provider('')}
    ${rule('host = "App.Home"')}
    ${rule('host = "other.localhost"')}
    ${rule('host = "other.localhost"')}
  `;
  expect(
    problemsOf(toml, { env: { POSTERN_DEMO: 'perhaps' }, argv: ['--nonsense'] })
      .map(({ key }) => key)
      .sort(),
  ).toEqual(
    [
      '--nonsense',
      'demo',
      'forward_auth.rule[0].host',
      'forward_auth.rule[2].host',
      'http.head_timeout',
      'listen',
      'provider.home.issuer',
      'provider.home.name',
      'sesions',
      'trusted_proxies',
    ].sort(),
  );
});

test('what is wrong in itself is not held against the keys it would clash with', () => {
  expect(problemsOf('url = "nonsense"\nlisten = "0.0.0.0:7400"').map(({ key }) => key)).toEqual(['url']);
  expect(
    problemsOf('[sessions]\nabsolute_lifetime = "x"\nidle_timeout = "60d"').map(({ key }) => key),
  ).toEqual(['sessions.absolute_lifetime']);
});

test('the message says key, source, what was found, what is expected and what was perhaps meant', () => {
  using directory = configDirectory('lisen = "x"\n[sessions]\ncache_size = 0');
  const error = directory.refusal({ env: { POSTERN_LOG_LEVEL: 'loud' }, argv: ['--listen', 'here'] });
  expect(error.exitCode).toBe(2);
  expect(error.message).toBe(
    [
      'the configuration has 4 problems',
      '  listen (--listen)\n    found "here"; expected host:port, like 127.0.0.1:7400 or [::1]:7400',
      '  log.level (POSTERN_LOG_LEVEL)\n    found "loud"; expected "debug", "info", "warn" or "error"',
      `  sessions.cache_size (${directory.path}/postern.toml)\n    found 0; expected a whole number from 1 to 10000000`,
      `  lisen (${directory.path}/postern.toml)\n    there is no such key\n    did you mean listen?`,
    ].join('\n\n'),
  );
});
