import { z } from 'zod';
import { duration } from './duration.ts';
import {
  coverEverything,
  domainFault,
  emailFault,
  exactOriginFault,
  landingFault,
  listenFault,
  pathPrefixFault,
  publicUrlFault,
  rangeFault,
  ruleHostFault,
  secretFault,
} from './faults.ts';
import { devicesSchema } from './schema-devices.ts';
import { mcpBackend, mcpServerSchema } from './schema-mcp.ts';
import { nodeKeys } from './schema-node.ts';
import { authorizationServerSchema } from './schema-oauth.ts';
import { clientKeys, issuer, providerName } from './schema-provider.ts';
import { redisSchema } from './schema-redis.ts';
import { authorizationParams, upstreamSchema } from './schema-upstream.ts';
import { checkedText, choice, count, filePath, list, tables, text, whenGiven, yesNo } from './values.ts';

/**
 * The schema of `postern.toml`. Descriptions become the configuration reference in `docs/`, and every message says what
 * is expected. What several keys decide together is in `checks/`.
 */

const table = <T extends z.ZodRawShape>(name: string, shape: T) =>
  z.strictObject(shape, { error: `a table [${name}]` });

const PEOPLE = 'a table of subjects, emails, domains, groups';

const people = () =>
  z.strictObject(
    {
      subjects: list(text('a subject (`sub`)'), 'a list of subjects')
        .default([])
        .describe('subjects (`sub`) of the provider'),
      emails: list(checkedText('an e-mail address', emailFault), 'a list of e-mail addresses')
        .default([])
        .describe('verified e-mail addresses'),
      domains: list(checkedText('a domain', domainFault), 'a list of domains')
        .default([])
        .describe('domains of verified e-mail addresses'),
      groups: list(text('a group'), 'a list of groups')
        .default([])
        .describe('groups the provider puts the person in'),
    },
    { error: PEOPLE },
  );

/** Who is meant: any of the lists is enough. E-mail rules count only addresses that the source calls verified. */
export type PeopleRule = z.output<ReturnType<typeof people>>;

const somebody = () =>
  people().refine((rule) => Object.values(rule).some((each) => each.length > 0), {
    error: 'somebody in at least one of the lists; an empty table lets nobody in',
  });

const provider = () =>
  z.strictObject(
    {
      name: providerName(),
      label: text('a text').optional().describe('what its sign-in button says'),
      kind: choice(['oidc', 'github']).default('oidc').describe('`oidc`, or an OAuth-only provider'),
      issuer: issuer(
        'the issuer identifier, exactly as the provider publishes it, required for `oidc`; for `github` the address of a GitHub Enterprise Server',
      ),
      ...clientKeys(),
      scopes: list(text('a scope'), 'a list of scopes')
        .default(['openid', 'profile', 'email'])
        .describe('scopes asked for'),
      upstream_scopes: list(text('a scope'), 'a list of scopes')
        .default([])
        .describe('scopes asked for besides where an MCP backend is given tokens of this provider'),
      upstream_params: authorizationParams().describe(
        'further parameters of the authorization request when an account is linked for such a backend, `name=value`',
      ),
      groups_claim: text('a claim').default('groups').describe('claim that holds the groups'),
      allow: z
        .union([z.literal('everyone'), somebody()], { error: `"everyone", or ${PEOPLE}` })
        .describe('who may sign in, by any one match; `"everyone"` means everybody this provider knows'),
      owners: people()
        .prefault({})
        .describe(
          'who is an owner of this appliance as long as any one of these matches at sign-in; `allow` decides whether they may sign in',
        ),
    },
    { error: 'a table [[provider]]' },
  );

const forwardAuthRule = () =>
  z.strictObject(
    {
      host: checkedText('a host name', ruleHostFault).describe(
        'the protected host, with its port unless that is the scheme’s own',
      ),
      path: checkedText('a path that begins with /', pathPrefixFault)
        .default('/')
        .describe('path prefix, on segment boundaries; the longest one that matches decides'),
      allow: z
        .union([z.literal('everyone'), z.literal('owners'), z.literal('public'), somebody()], {
          error: `"everyone", "owners", "public", or ${PEOPLE}`,
        })
        .describe(
          'who may pass: `"everyone"` who is signed in, `"owners"` of this site, a table of people, or `"public"` (no sign-in at all)',
        ),
      allowed_origins: list(checkedText('an origin', exactOriginFault), 'a list of origins')
        .default([])
        .describe('other origins whose forms and WebSockets this app accepts'),
    },
    { error: 'a table [[forward_auth.rule]]' },
  );

const everyoneOwnersOrSomebody = () =>
  z.union([z.literal('everyone'), z.literal('owners'), somebody()], {
    error: `"everyone", "owners", or ${PEOPLE}`,
  });

export const configSchema = z.strictObject({
  url: checkedText('an origin like https://auth.example.com', publicUrlFault)
    .default('http://localhost:7400')
    .describe('public origin of the appliance; http only for loopback'),
  listen: checkedText('host:port', listenFault)
    .default('127.0.0.1:7400')
    .describe('address the appliance listens on'),
  metrics_listen: checkedText('host:port', listenFault)
    .default('127.0.0.1:7401')
    .describe('address of `/metrics` alone'),
  data_dir: filePath('a directory')
    .default('./postern-data')
    .describe('everything that is kept; made with mode 0700'),
  ...nodeKeys(),
  secret: checkedText('at least 32 bytes', secretFault)
    .meta({ secret: true })
    .optional()
    .describe(
      'all keys are derived from it, at least 32 bytes; made once and kept in the data directory when absent',
    ),
  previous_secrets: list(checkedText('at least 32 bytes', secretFault), 'a list of secrets')
    .meta({ secret: true })
    .default([])
    .describe('secrets whose tokens stay accepted'),
  trusted_proxies: list(checkedText('a CIDR range', rangeFault), 'a list of CIDR ranges')
    .refine((ranges) => !coverEverything(ranges), {
      error: 'the ranges of your proxies; together these hold every address there is',
    })
    .default([])
    .describe('peers whose forwarded headers count, as CIDR ranges'),
  demo: yesNo()
    .default(false)
    .describe('adds a demo user with devices and a pairing code, once; loopback only'),
  tls: z
    .union(
      [
        z.literal('self-signed'),
        z.strictObject({
          cert: filePath('a file').describe('certificate chain, PEM'),
          key: filePath('a file').describe('private key, PEM'),
        }),
      ],
      { error: '"self-signed", or a table of cert and key' },
    )
    .optional()
    .describe(
      'TLS of its own: files (reloaded on change), or `"self-signed"`; without it TLS ends at your proxy',
    ),
  log: whenGiven('log', () =>
    table('log', {
      format: choice(['auto', 'json', 'text'])
        .default('auto')
        .describe('`auto`: text on a terminal, otherwise json'),
      level: choice(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('least level that is written'),
    }),
  ),
  database: whenGiven('database', () =>
    table('database', {
      auto_migrate: yesNo().default(true).describe('run migrations at start'),
      busy_timeout: duration('5s').describe('how long another process may hold the write lock'),
    }),
  ),
  sessions: whenGiven('sessions', () =>
    table('sessions', {
      idle_timeout: duration('24h').describe('browser sessions end this long after their last use'),
      absolute_lifetime: duration('30d').describe('browser sessions end this long after sign-in'),
      personal_max_lifetime: duration('365d', '365d').describe(
        'longest life of a personal token, at most 365d',
      ),
      grant_idle_timeout: duration('30d').describe(
        'what an OAuth client was granted ends this long after its last use',
      ),
      grant_absolute_lifetime: duration('90d').describe(
        'what an OAuth client was granted ends this long after consent',
      ),
      access_token_lifetime: duration('1h').describe('access tokens of OAuth clients end after this long'),
      refresh_repeat_window: duration('30s').describe(
        'how long a client that asks again with the same refresh token gets the same answer',
      ),
      touch_interval: duration('5s').describe('how often last uses are written, in one transaction'),
      reap_interval: duration('5m').describe('how often expired rows are deleted'),
      live_check_interval: duration('30s').describe('how often sessions that hold live streams are re-read'),
      event_streams_per_user: count(100).describe('streams of session events that one person may hold open'),
      event_keep_alive: duration('25s').describe('how often an idle stream of session events gets a comment'),
      cache_size: count(50_000, 10_000_000).describe('sessions kept in memory'),
      cache_ttl: duration('10m').describe('how long an entry is believed before it is read again'),
      unknown_cache_size: count(10_000, 10_000_000).describe('unknown credentials remembered'),
      unknown_cache_ttl: duration('5s').describe('how long an unknown credential is remembered'),
    }),
  ),
  sign_in: whenGiven('sign_in', () =>
    table('sign_in', {
      landing: checkedText('a path that begins with /', landingFault)
        .default('/')
        .describe('where people land without a deep link'),
      attempt_lifetime: duration('10m').describe('time to come back from the provider'),
      discovery_timeout: duration('10s').describe('time a provider has to answer discovery'),
      discovery_retry: duration('30s').describe('wait before a provider that was down is asked again'),
      metadata_refresh: duration('1h').describe(
        'how often what a provider publishes about itself is read again',
      ),
      provider_timeout: duration('10s').describe('time a provider has to answer any other request'),
      logout_memory: duration('10m').describe('how long a logout counts against sign-ins under way'),
      setup_lifetime: duration('30m').describe('life of the setup link'),
      invitation_lifetime: duration('7d').describe('life of an invitation'),
      password_reset_lifetime: duration('24h').describe('life of a link that sets a new password'),
      attempts_per_address: count(30).describe('failed local sign-ins per address and window'),
      attempts_per_account: count(10).describe(
        'failed local sign-ins per account and window, from browsers never seen there',
      ),
      begun_per_address: count(3_000).describe('sign-ins begun at providers per address and window'),
      attempts_window: duration('15m').describe('window of these limits'),
    }),
  ),
  provider: tables('provider', provider).describe('OpenID providers people sign in through'),
  upstream: whenGiven('upstream', upstreamSchema),
  mcp: tables('mcp', () => mcpBackend(everyoneOwnersOrSomebody())).describe(
    'MCP servers that clients reach at `/mcp/<name>`; without any there is `whoami`, which is built in',
  ),
  mcp_server: whenGiven('mcp_server', mcpServerSchema).describe('what all MCP backends have in common'),
  authorization_server: whenGiven('authorization_server', authorizationServerSchema).describe(
    'how MCP clients get their tokens',
  ),
  forward_auth: whenGiven('forward_auth', () =>
    table('forward_auth', {
      rule: tables('forward_auth.rule', forwardAuthRule).describe('what is protected; unmatched is 403'),
      ticket_lifetime: duration('60s').describe('life of a host ticket'),
      flow_lifetime: duration('10m').describe('life of the flow cookie on a protected host'),
    }),
  ),
  devices: whenGiven('devices', () => devicesSchema(everyoneOwnersOrSomebody())).describe(
    'devices that are paired and reached through a tunnel',
  ),
  redis: whenGiven('redis', redisSchema).describe('Redis, for browser sessions that several processes share'),
  http: whenGiven('http', () =>
    table('http', {
      max_body_bytes: count(1_048_576).describe('largest request body, in bytes'),
      head_timeout: duration('10s').describe('time for a request head'),
      drain_timeout: duration('10s').describe('time for what is running at shutdown'),
    }),
  ),
  cors: whenGiven('cors', () =>
    table('cors', {
      allowed_origins: list(checkedText('an origin', exactOriginFault), 'a list of origins')
        .default([])
        .describe('origins that may call `/api/v1` from a browser'),
    }),
  ),
  audit: whenGiven('audit', () =>
    table('audit', {
      retention: duration('365d').describe('how long audit rows are kept'),
    }),
  ),
});

/** Everything the appliance is told, parsed; durations in milliseconds. */
export type Config = z.output<typeof configSchema>;
export type ProviderConfig = Config['provider'][number];
export type UpstreamProviderConfig = Config['upstream']['provider'][number];
export type ForwardAuthRuleConfig = Config['forward_auth']['rule'][number];
export type McpBackendConfig = Config['mcp'][number];
export type McpServerConfig = Config['mcp_server'];
export type RedisConfig = Config['redis'];
export type DevicesConfig = Config['devices'];
export type DeviceRuleConfig = DevicesConfig['rule'][number];
