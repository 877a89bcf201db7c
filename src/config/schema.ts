import { z } from 'zod';
import { duration } from './duration.ts';

/** The schema of `postern.toml`. Descriptions become the configuration reference in `docs/`. */

const count = (defaultValue: number) =>
  z.int({ error: 'a whole number above zero' }).positive({ error: 'a whole number above zero' }).prefault(defaultValue);

const text = (what: string) => z.string({ error: what }).min(1, { error: what });

/** Who is meant: any of the lists is enough. E-mail rules count only addresses that the source calls verified. */
const people = z
  .strictObject({
    subjects: z.array(text('a subject (`sub`)')).default([]).describe('subjects (`sub`) of the provider'),
    emails: z.array(text('an e-mail address')).default([]).describe('verified e-mail addresses'),
    domains: z.array(text('a domain')).default([]).describe('domains of verified e-mail addresses'),
    groups: z.array(text('a group')).default([]).describe('groups the provider puts the person in'),
  })
  .describe('any one match is enough');
export type PeopleRule = z.output<typeof people>;

const provider = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'lower-case letters, digits and hyphens, at most 32' })
    .describe('short name; it stands in the redirect URI `/callback/<name>`'),
  label: text('a text').optional().describe('what its sign-in button says'),
  kind: z.enum(['oidc', 'github']).default('oidc').describe('`oidc`, or an OAuth-only provider'),
  issuer: z.url({ error: 'an https URL' }).optional().describe('the issuer identifier, exactly as the provider publishes it'),
  client_id: text('the client id').describe('client id registered at the provider'),
  client_secret: text('the client secret').meta({ secret: true }).describe('client secret registered at the provider'),
  scopes: z.array(text('a scope')).default(['openid', 'profile', 'email']).describe('scopes asked for'),
  groups_claim: text('a claim').default('groups').describe('claim that holds the groups'),
  allow: z
    .union([z.literal('everyone'), people], { error: '"everyone", or a table of subjects, emails, domains, groups' })
    .describe('who may sign in; `"everyone"` means everybody this provider knows'),
  owners: people.prefault({}).describe('who becomes an owner of this appliance'),
});

const forwardAuthRule = z.strictObject({
  host: text('a host name').describe('the protected host, with its port unless that is the scheme’s own'),
  path: z.string().startsWith('/', { error: 'a path that begins with /' }).default('/').describe('path prefix, on segment boundaries'),
  allow: z
    .union([z.literal('everyone'), z.literal('public'), people], {
      error: '"everyone", "public", or a table of subjects, emails, domains, groups',
    })
    .describe('who may pass: `"everyone"` who is signed in, a table of people, or `"public"` (no sign-in at all)'),
  allowed_origins: z
    .array(text('an origin'))
    .default([])
    .describe('other origins whose forms and WebSockets this app accepts'),
});

export const configSchema = z.strictObject({
  url: text('an origin like https://auth.example.com')
    .default('http://localhost:7400')
    .describe('public origin of the appliance; http only for loopback'),
  listen: text('host:port').default('127.0.0.1:7400').describe('address the appliance listens on'),
  metrics_listen: text('host:port').default('127.0.0.1:7401').describe('address of `/metrics` alone'),
  data_dir: text('a directory').default('./postern-data').describe('everything that is kept; made with mode 0700'),
  secret: z.string().meta({ secret: true }).optional().describe('at least 32 bytes; made once and kept in the data directory when absent'),
  previous_secrets: z.array(z.string()).meta({ secret: true }).default([]).describe('secrets whose tokens stay accepted'),
  trusted_proxies: z.array(text('a CIDR range')).default([]).describe('peers whose forwarded headers count, as CIDR ranges'),
  demo: z.boolean({ error: 'true or false' }).default(false).describe('adds a demo user once; loopback only'),
  tls: z
    .union([
      z.literal('self-signed'),
      z.strictObject({ cert: text('a file'), key: text('a file') }),
    ], { error: '"self-signed", or a table of cert and key' })
    .optional()
    .describe('TLS of its own: files (reloaded on change), or `"self-signed"`'),
  log: z
    .strictObject({
      format: z.enum(['auto', 'json', 'text']).default('auto').describe('`auto`: text on a terminal, otherwise json'),
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('least level that is written'),
    })
    .prefault({}),
  database: z
    .strictObject({
      auto_migrate: z.boolean({ error: 'true or false' }).default(true).describe('run migrations at start'),
      busy_timeout: duration('5s').describe('how long another process may hold the write lock'),
    })
    .prefault({}),
  sessions: z
    .strictObject({
      idle_timeout: duration('24h').describe('browser sessions end this long after their last use'),
      absolute_lifetime: duration('30d').describe('browser sessions end this long after sign-in'),
      personal_max_lifetime: duration('365d').describe('longest life of a personal token'),
      touch_interval: duration('5s').describe('how often last uses are written, in one transaction'),
      reap_interval: duration('5m').describe('how often expired rows are deleted'),
      live_check_interval: duration('30s').describe('how often sessions that hold live streams are re-read'),
      cache_size: count(50_000).describe('sessions kept in memory'),
      cache_ttl: duration('10m').describe('how long an entry is believed before it is read again'),
      unknown_cache_size: count(10_000).describe('unknown credentials remembered'),
      unknown_cache_ttl: duration('5s').describe('how long an unknown credential is remembered'),
    })
    .prefault({}),
  sign_in: z
    .strictObject({
      landing: z.string().startsWith('/', { error: 'a path that begins with /' }).default('/').describe('where people land without a deep link'),
      attempt_lifetime: duration('10m').describe('time to come back from the provider'),
      discovery_timeout: duration('10s').describe('time a provider has to answer discovery'),
      discovery_retry: duration('30s').describe('wait before a provider that was down is asked again'),
      logout_memory: duration('10m').describe('how long a logout counts against sign-ins under way'),
      setup_lifetime: duration('30m').describe('life of the setup link'),
      invitation_lifetime: duration('7d').describe('life of an invitation'),
      attempts_per_address: count(30).describe('failed local sign-ins per address and window'),
      attempts_per_account: count(10).describe('failed local sign-ins per account and window, from browsers never seen there'),
      attempts_window: duration('15m').describe('window of both limits'),
    })
    .prefault({}),
  provider: z.array(provider).default([]).describe('OpenID providers people sign in through'),
  forward_auth: z
    .strictObject({
      rule: z.array(forwardAuthRule).default([]).describe('what is protected; unmatched is 403'),
      ticket_lifetime: duration('60s').describe('life of a host ticket'),
      flow_lifetime: duration('10m').describe('life of the flow cookie on a protected host'),
    })
    .prefault({}),
  http: z
    .strictObject({
      max_body_bytes: count(1_048_576).describe('largest request body, in bytes'),
      head_timeout: duration('10s').describe('time for a request head'),
      drain_timeout: duration('10s').describe('time for what is running at shutdown'),
    })
    .prefault({}),
  cors: z
    .strictObject({
      allowed_origins: z.array(text('an origin')).default([]).describe('origins that may call `/api/v1` from a browser'),
    })
    .prefault({}),
  audit: z
    .strictObject({
      retention: duration('365d').describe('how long audit rows are kept'),
    })
    .prefault({}),
});

/** Everything the appliance is told, parsed; durations in milliseconds. */
export type Config = z.output<typeof configSchema>;
export type ProviderConfig = Config['provider'][number];
export type ForwardAuthRuleConfig = Config['forward_auth']['rule'][number];
