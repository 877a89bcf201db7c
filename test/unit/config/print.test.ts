import { expect, test } from 'bun:test';
import { MASK, printConfig } from '../../../src/config/print.ts';
import { configDirectory } from '../../support/config-directory.ts';

const FULL = `
url = "https://auth.example.com"
listen = "[::1]:7400"
secret = "hush hush hush hush hush hush hush"
previous_secrets = ["hush hush hush hush hush hush hush!", "hush hush hush hush hush hush hush?"]
trusted_proxies = ["10.0.0.0/8"]
tls = { cert = "/c.pem", key = "/k.pem" }
[sessions]
idle_timeout = "90m"
[[provider]]
name = "home"
label = "Home \\"lab\\" \\\\  é"
issuer = "https://id.example.com"
client_id = "postern"
client_secret = "hush"
allow = { emails = ["ada@example.com"], groups = ["family", "friends"] }
[[provider]]
name = "hub"
kind = "github"
client_id = "postern"
client_secret = "hush"
allow = "everyone"
owners = { subjects = ["1"] }
[[forward_auth.rule]]
host = "app.example.com"
path = "/admin"
allow = { groups = ["family"] }
[[forward_auth.rule]]
host = "app.example.com"
allow = "public"
allowed_origins = ["https://other.example.com"]
`;

test('a configuration is printed with its secrets masked', () => {
  using directory = configDirectory(FULL);
  const printed = printConfig(directory.load());
  expect(printed).not.toContain('hush');
  expect(printed).toContain(`\nsecret = "${MASK}"\nprevious_secrets = ["${MASK}", "${MASK}"]\n`);
  expect(printed).toContain('\nidle_timeout = "90m"\n');
  expect(printed).toContain('\n[[forward_auth.rule]]\nhost = "app.example.com"\npath = "/admin"\n');
});

test.each([
  ['the default', ''],
  ['a full one', FULL],
])('what is printed means the same when read: %s', (_what, toml) => {
  using directory = configDirectory(toml);
  const config = directory.load();
  const printed = printConfig(config);
  directory.write('printed.toml', unmasked(printed));
  expect(directory.load({ argv: ['--config', 'printed.toml'] })).toEqual(unmaskedConfig(config));
});

const LONG = 'x'.repeat(32);

function unmasked(printed: string): string {
  let count = 0;
  return printed.replaceAll(MASK, () => `${LONG}${count++}`);
}

/** What `unmasked` puts in, in the order in which secrets are printed. */
function unmaskedConfig(config: ReturnType<ReturnType<typeof configDirectory>['load']>) {
  let count = 0;
  const next = () => `${LONG}${count++}`;
  return {
    ...config,
    ...(config.secret === undefined ? {} : { secret: next() }),
    previous_secrets: config.previous_secrets.map(next),
    provider: config.provider.map((provider) => ({ ...provider, client_secret: next() })),
  };
}
