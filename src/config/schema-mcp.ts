import { z } from 'zod';
import { duration } from './duration.ts';
import { exactOriginFault } from './faults.ts';
import { environmentFaults, headerFaults, remoteUrlFault } from './faults-mcp.ts';
import { PROVIDER_NAME } from './provider-name.ts';
import { checkedText, choice, count, filePath, list, text } from './values.ts';

/** What `[[mcp]]` and `[mcp_server]` may hold. TOML has no room for `mcp.allowed_origins` beside a list of tables `mcp`. */

const BACKEND_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** A table of texts; `faultsOf` says by name what is wrong with which. Its values may be secrets. */
const texts = (expected: string, faultsOf: (table: Record<string, string>) => Map<string, string>) =>
  z
    .record(z.string(), z.string({ error: 'a text' }), { error: expected })
    .check(({ value, issues }) => {
      for (const [name, message] of faultsOf(value))
        issues.push({ code: 'custom', message, path: [name], input: value[name] });
    })
    .meta({ secret: true })
    .default({});

const toolNames = () => list(text('the name of a tool'), 'a list of names of tools');

const limits = () =>
  z
    .strictObject(
      {
        children_per_user: count(8).describe('children of this backend that one person may have'),
        children: count(100).describe('children of this backend in all'),
        message_bytes: count(4_194_304).describe('largest message either way, in bytes'),
        queue: count(1_000).describe('requests that one child may have open'),
        start_timeout: duration('60s').describe('time a child has to answer its first request'),
      },
      { error: 'a table of limits' },
    )
    .prefault({});

const tools = () =>
  z
    .strictObject(
      {
        allow: toolNames().optional().describe('the only tools that clients see and may call'),
        deny: toolNames().default([]).describe('tools that no client sees or may call'),
      },
      { error: 'a table of allow and deny' },
    )
    .prefault({});

/** `people` is who may be meant by a rule; it comes from the schema that holds this one. */
export const mcpBackend = <T extends z.ZodType>(people: T) =>
  z.strictObject(
    {
      name: z
        .string({ error: 'a short name' })
        .regex(BACKEND_NAME, {
          error: 'a lower-case letter, then lower-case letters, digits and hyphens, at most 32',
        })
        .describe('short name; it stands in the address `/mcp/<name>` and in the scope `mcp:<name>`'),
      command: list(text('a text'), 'a list of texts: the program, then its arguments')
        .refine((argv) => argv.length > 0, { error: 'the program, then its arguments' })
        .optional()
        .describe(
          'program and arguments of an MCP server on stdio, run once for each grant; no shell reads them',
        ),
      url: checkedText('an http or https URL', remoteUrlFault)
        .optional()
        .describe('address of an MCP server elsewhere (Streamable HTTP); either this or `command`'),
      env: texts('a table of texts', environmentFaults).describe(
        'environment of the command; values may hold placeholders, `${upstream.access_token}`, `${secret.NAME}`, `${user.name}`, `${user.email}`, `${user.id}` and `${user.username}`',
      ),
      headers: texts('a table of texts', headerFaults).describe(
        'headers sent to `url`; values may hold the same placeholders',
      ),
      provider: z
        .string({ error: 'the name of a provider' })
        .regex(PROVIDER_NAME, { error: 'the name of a [[provider]] or [[upstream.provider]]' })
        .optional()
        .describe(
          'whose tokens `${upstream.access_token}` stands for; people link their account before they connect',
        ),
      allow: people.describe(
        'who may use it: `"everyone"` who is signed in, `"owners"` of this site, or a table of people',
      ),
      isolation: choice(['auto', 'none'])
        .default('auto')
        .describe(
          'how children are kept from the appliance and from each other; `"none"` is for a single person alone',
        ),
      sharing: choice(['grant', 'session'])
        .default('grant')
        .describe(
          'whether the protocol sessions of one client share a child, or each has its own, for servers that keep state',
        ),
      cache: filePath('a directory')
        .optional()
        .describe(
          'directory that children of the command may write to, one below it for each person; without it nothing that they write stays',
        ),
      tools: tools().describe('which tools of the server clients get to see'),
      limits: limits().describe('bounds of this backend'),
    },
    { error: 'a table [[mcp]]' },
  );

export const mcpServerSchema = () =>
  z.strictObject(
    {
      allowed_origins: list(checkedText('an origin', exactOriginFault), 'a list of origins')
        .default([])
        .describe('origins, beside that of `url`, whose pages may call `/mcp/…` from a browser'),
      hide: list(filePath('a file or directory'), 'a list of files and directories')
        .default([])
        .describe(
          'what isolated children do not find besides the data directory, the configuration and the keys of TLS',
        ),
      children_per_user: count(32).describe('children that one person may have, of all backends'),
      children: count(256).describe('children in all'),
      child_idle_timeout: duration('15m').describe('a child that nobody used for this long is ended'),
      child_reap_interval: duration('30s').describe('how often idle children are looked for'),
      input_closed_wait: duration('2s').describe('wait after a child’s input was closed, before SIGTERM'),
      terminate_wait: duration('3s').describe('wait after SIGTERM, before SIGKILL'),
      swap_timeout: duration('30s').describe('time a child with a new token has to start'),
      drain: duration('30s').describe(
        'time that calls have on the child they began on, once another took its place',
      ),
      era_probe: duration('5s').describe(
        'how long a child is only asked by `server/discover`; one of an older revision may not know it and say nothing, and is then greeted by `initialize`',
      ),
      restart_first: duration('1s').describe(
        'wait before a child that did not start, or crashed, is started again; it doubles with each time',
      ),
      restart_longest: duration('1m').describe('longest such wait'),
      protocol_session_idle: duration('24h').describe(
        'protocol sessions of older clients end this long after their last use',
      ),
      parked_call: duration('5m').describe('how long a call waits for input that it asked its client for'),
      parked_calls_per_grant: count(64).describe('calls of one client that may wait for its input at once'),
      input_gather: duration('20ms').describe(
        'how long after a question of a server others may join it, for clients that are asked all at once',
      ),
      stream_after: duration('250ms').describe('an answer that takes longer becomes a stream of events'),
      stream_keep_alive: duration('25s').describe('how often something is sent on a stream that is silent'),
      resume_window: duration('1m').describe(
        'time that an older client has to come back to a stream whose connection broke',
      ),
      protocol_sessions_per_grant: count(100).describe(
        'protocol sessions that one client may have at one backend; beyond it the one unused for longest ends',
      ),
    },
    { error: 'a table [mcp_server]' },
  );
