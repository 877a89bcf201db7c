import { describe, expect, test } from 'bun:test';
import { MASK, printConfig } from '../../../src/config/print.ts';
import { configDirectory, problemsOf } from '../../support/config-directory.ts';

const PROVIDER = `
[[provider]]
name = "home"
issuer = "https://id.example.com"
client_id = "postern"
client_secret = "keep this to yourself"
allow = "everyone"
`;

const backend = (lines: string, name = 'files') => `
[[mcp]]
name = "${name}"
${/^(command|url) =/m.test(lines) ? '' : 'command = ["mcp-files"]'}
${lines.includes('allow =') ? '' : 'allow = "everyone"'}
${lines}
`;

const ADA = 'allow = { emails = ["ada@example.com"] }';
const BOB = 'allow = { emails = ["bob@example.com"] }';

/** What stands in the file, the key that is complained of, and what the complaint says. */
const REFUSALS: [toml: string, key: string, expected: string][] = [
  [backend('', 'Files'), 'mcp.Files.name', 'a lower-case letter'],
  [backend('', '7zip'), 'mcp.7zip.name', 'a lower-case letter'],
  [backend('') + backend(''), 'mcp.files.name', 'a name of its own'],
  [backend('command = []'), 'mcp.files.command', 'the program'],
  [backend('command = "mcp-files --all"'), 'mcp.files.command', 'a list of texts'],
  [backend('command = ["mcp\\u0000files"]'), 'mcp.files.command[0]', 'on one line'],
  [backend('command = ["mcp-files", "a\\nb"]'), 'mcp.files.command[1]', 'on one line'],
  ['[[mcp]]\nname = "files"\nallow = "everyone"', 'mcp.files.command', 'a command, or a url'],
  [backend('command = ["a"]\nurl = "https://mcp.example.com/"'), 'mcp.files.url', 'not both'],
  [backend('url = "mcp.example.com"'), 'mcp.files.url', 'http or https URL'],
  [backend('url = "https://ada:pass@mcp.example.com/"'), 'mcp.files.url', 'credentials go into headers'],
  [backend('url = "https://mcp.example.com/"\nenv = { A = "b" }'), 'mcp.files.env', 'no env beside a url'],
  [backend('headers = { A = "b" }'), 'mcp.files.headers', 'no headers beside a command'],
  [backend('url = "https://mcp.example.com/"\ncache = "/c"'), 'mcp.files.cache', 'no cache beside a url'],
  [backend('cache = "/tmp/cache"'), 'mcp.files.cache', 'outside the data directory'],
  [backend('cache = "/run"'), 'mcp.files.cache', 'outside the data directory'],
  [
    'data_dir = "/srv/postern"\n' + backend('cache = "/srv/postern/cache"'),
    'mcp.files.cache',
    'outside the data directory',
  ],
  [backend('env = { BUN_OPTIONS = "x" }'), 'mcp.files.env.BUN_OPTIONS', 'begin with BUN_'],
  [backend('env = { NODE_OPTIONS = "x" }'), 'mcp.files.env.NODE_OPTIONS', 'begin with NODE_'],
  [backend('env = { LD_PRELOAD = "x" }'), 'mcp.files.env.LD_PRELOAD', 'begin with LD_'],
  [backend('env = { DYLD_X = "x" }'), 'mcp.files.env.DYLD_X', 'begin with DYLD_'],
  [backend('env = { POSTERN_CHILD = "x" }'), 'mcp.files.env.POSTERN_CHILD', 'begin with POSTERN_'],
  [backend('env = { "A=B" = "x" }'), 'mcp.files.env.A=B', 'the name of a variable'],
  [backend('env = { "" = "x" }'), 'mcp.files.env.', 'the name of a variable'],
  [backend('env = { A = "x\\u0000y" }'), 'mcp.files.env.A', 'on one line'],
  [backend('env = { A = "x\\ny" }'), 'mcp.files.env.A', 'on one line'],
  [backend('env = { A = 7 }'), 'mcp.files.env.A', 'a text'],
  [backend('env = "A=b"'), 'mcp.files.env', 'a table of texts'],
  [backend('env = { A = "${upstream.token}" }'), 'mcp.files.env.A', 'there are no others'],
  [backend('env = { A = "${secret.a-b}" }'), 'mcp.files.env.A', 'there are no others'],
  [backend('env = { A = "${user.name" }'), 'mcp.files.env.A', 'there are no others'],
  [backend('url = "https://m.example.com/"\nheaders = { "A B" = "x" }'), 'mcp.files.headers.A B', 'a header'],
  [
    backend('url = "https://m.example.com/"\nheaders = { Host = "x" }'),
    'mcp.files.headers.Host',
    'ours to send',
  ],
  [
    backend('url = "https://m.example.com/"\nheaders = { Mcp-Name = "x" }'),
    'mcp.files.headers.Mcp-Name',
    'ours to send',
  ],
  [
    backend('url = "https://m.example.com/"\nheaders = { A = "x\\r\\nB: y" }'),
    'mcp.files.headers.A',
    'one line',
  ],
  [backend('url = "https://m.example.com/"\nheaders = { A = "é" }'), 'mcp.files.headers.A', 'ASCII'],
  [backend('provider = "hub"'), 'mcp.files.provider', 'the name of a [[provider]]'],
  [backend('env = { TOKEN = "${upstream.access_token}" }'), 'mcp.files.provider', 'stands for'],
  [backend('allow = "public"'), 'mcp.files.allow', '"owners"'],
  [backend('allow = {}'), 'mcp.files.allow', 'somebody'],
  [backend('isolation = "none"'), 'mcp.files.isolation', 'more than one person'],
  [backend('isolation = "none"\nallow = "owners"'), 'mcp.files.isolation', 'more than one person'],
  [backend('isolation = "none"\nallow = { groups = ["me"] }'), 'mcp.files.isolation', 'more than one person'],
  [
    backend(`isolation = "none"\n${ADA}`) + backend(BOB, 'notes'),
    'mcp.files.isolation',
    'more than one person',
  ],
  [backend('isolation = "docker"'), 'mcp.files.isolation', '"auto" or "none"'],
  [backend('sharing = "all"'), 'mcp.files.sharing', '"grant" or "session"'],
  [backend('limits = { children = 0 }'), 'mcp.files.limits.children', 'a whole number from 1'],
  [backend('limits = { start_timeout = "0s" }'), 'mcp.files.limits.start_timeout', 'above zero'],
  [backend('limits = { childs = 1 }'), 'mcp.files.limits.childs', 'there is no such key'],
  [backend('tools = { deny = "rm" }'), 'mcp.files.tools.deny', 'a list of names of tools'],
  ['[mcp_server]\nchild_idle_timeout = "0s"', 'mcp_server.child_idle_timeout', 'above zero'],
  ['[mcp_server]\nallowed_origins = ["*"]', 'mcp_server.allowed_origins[0]', 'wildcard'],
];

describe('refused', () => {
  test.each(REFUSALS)('%s', (toml, key, expected) => {
    const problems = problemsOf(toml);
    expect(problems.map((problem) => problem.key)).toEqual([key]);
    expect(problems[0]?.expected).toContain(expected);
  });

  test('without showing what a variable or a header holds', () => {
    const toml = backend('env = { LD_PRELOAD = "hush", A = "hush\\n" }');
    expect(JSON.stringify(problemsOf(toml))).not.toContain('hush');
  });

  test('a subject that could be a namesake’s', () => {
    const other = PROVIDER.replace('"home"', '"work"').replace('id.example', 'id2.example');
    const problems = problemsOf(PROVIDER + other + backend('allow = { subjects = ["4711"] }'));
    expect(problems.map(({ key }) => key)).toEqual(['mcp.files.allow.subjects[0]']);
  });
});

describe('accepted', () => {
  test.each([
    ['no isolation for one person alone', backend(`isolation = "none"\n${ADA}`)],
    [
      'no isolation for one person at two backends, and others at a remote one',
      backend(`isolation = "none"\n${ADA}`) +
        backend(ADA, 'notes') +
        backend('url = "https://mcp.example.com/mcp"', 'far'),
    ],
    [
      'a token of a provider',
      PROVIDER + backend('provider = "home"\nenv = { TOKEN = "Bearer ${upstream.access_token}" }'),
    ],
    [
      'http to a server of the house',
      backend('url = "http://mcp:8080/mcp"\nheaders = { X-User = "${user.id}" }'),
    ],
    ['an empty variable', backend('env = { NOTHING = "" }')],
  ])('%s', (_what, toml) => {
    using directory = configDirectory(toml);
    expect(directory.load().mcp.length).toBeGreaterThan(0);
  });

  test('bounds and durations, from the file or from the environment', () => {
    using directory = configDirectory(backend('limits = { queue = 7, start_timeout = "5s" }'));
    const { mcp } = directory.load({ env: { POSTERN_MCP_FILES_LIMITS_CHILDREN: '3' } });
    expect(mcp[0]?.limits).toMatchObject({ queue: 7, children: 3, start_timeout: 5_000 });
  });
});

describe('`postern config`', () => {
  const toml =
    PROVIDER +
    backend(`provider = "home"
env = { TOKEN = "\${upstream.access_token}", KEY = "hush", URL = "https://hush@example.com" }
tools = { deny = ["rm"] }
limits = { start_timeout = "90s" }`);

  test('shows where a secret goes and no value of a variable', () => {
    using directory = configDirectory(toml);
    const printed = printConfig(directory.load());
    expect(printed).not.toContain('hush');
    expect(printed).toContain(
      `env = { TOKEN = "\${upstream.access_token}", KEY = "${MASK}", URL = "${MASK}" }`,
    );
    expect(printed).toContain('start_timeout = "90s"');
    expect(printed).toContain('tools = { deny = ["rm"] }');
  });

  test('prints what can be read again', () => {
    using directory = configDirectory(toml);
    directory.write('printed.toml', printConfig(directory.load()));
    const again = directory.load({ argv: ['--config', 'printed.toml'] });
    expect(again.mcp[0]?.limits).toEqual(directory.load().mcp[0]?.limits);
  });
});
