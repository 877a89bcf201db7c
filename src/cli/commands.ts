import type { CommandSpec, FlagSpec } from './command.ts';

/** Shown in the help of every command that reads the configuration; `config/flags.ts` knows them all. */
export const CONFIGURATION_FLAGS: readonly FlagSpec[] = [
  { name: 'config', value: 'FILE', about: 'configuration file (default: postern.toml, where there is one)' },
  { name: 'data-dir', value: 'DIR', about: 'everything that is kept (default: ./postern-data)' },
  {
    name: 'KEY',
    value: 'VALUE',
    about: 'any other key of the configuration, like --sessions.idle-timeout 12h',
  },
];

const DEVICES_FLAG: FlagSpec = { name: 'devices', about: 'unpair all devices of the person too' };
const JSON_FLAG: FlagSpec = { name: 'json', about: 'print JSON, for programs' };
const ROLE_FLAG: FlagSpec = {
  name: 'role',
  value: 'owner|member',
  about: 'what the person may do (default: member)',
};
const AGENT_DIR_FLAG: FlagSpec = {
  name: 'dir',
  value: 'DIR',
  about: 'where the agent keeps its key and state (default: ./postern-agent)',
};
const AGENT_CONFIG_FLAG: FlagSpec = {
  name: 'config',
  value: 'FILE',
  about: 'services, labels and limits (default: agent.toml in DIR)',
};
const CA_FLAG: FlagSpec = {
  name: 'ca',
  value: 'FILE',
  about: 'certificates that are believed for the server besides the system’s, PEM',
};
const USER = { name: 'USER' };
const USER_HELP = 'USER is a username or a user id.';

/** Groups of commands, each with its line in the help. */
export const GROUPS: ReadonlyMap<string, string> = new Map([
  ['user', 'people: invite, list, create, disable, enable, remove, set-role, reset-password'],
  ['session', 'sessions: list, end, end-all, move'],
  ['device', 'devices: list, pair, unpair'],
  ['keys', 'the secret behind all keys: rotate, reseal'],
]);

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'serve',
    summary: 'run the appliance (what happens without a command)',
    details:
      'Says what is on and what is off, then serves until SIGTERM or SIGINT. The log goes to standard error.',
    configured: true,
    load: async () => (await import('./serve/serve.ts')).serve,
  },
  {
    name: 'doctor',
    summary: 'look for what is wrong with this installation, one line each',
    configured: true,
    load: async () => (await import('./doctor/doctor.ts')).doctor,
  },
  {
    name: 'healthcheck',
    summary: 'ask the server of this configuration for /healthz (for Docker)',
    configured: true,
    load: async () => (await import('./commands/healthcheck.ts')).healthcheck,
  },
  {
    name: 'config',
    summary: 'print the configuration as it is understood, secrets masked',
    configured: true,
    load: async () => (await import('./commands/config.ts')).config,
  },
  {
    name: 'migrate',
    summary: 'bring the database up to date',
    details: '`serve` does this at start unless database.auto_migrate is false.',
    flags: [{ name: 'check', about: 'change nothing; exit 1 when migrations are pending' }],
    configured: true,
    load: async () => (await import('./commands/migrate.ts')).migrate,
  },
  {
    name: 'user invite',
    summary: 'print a one-time link that lets somebody in',
    flags: [ROLE_FLAG],
    configured: true,
    load: async () => (await import('./commands/user.ts')).inviteUser,
  },
  {
    name: 'user list',
    summary: 'list everybody, disabled people too',
    flags: [JSON_FLAG],
    configured: true,
    load: async () => (await import('./commands/user.ts')).listUsers,
  },
  {
    name: 'user create',
    summary: 'make a local account and print the one-time link that sets its password',
    operands: [{ name: 'USERNAME' }],
    flags: [{ name: 'name', value: 'NAME', about: 'display name (default: the username)' }, ROLE_FLAG],
    configured: true,
    load: async () => (await import('./commands/user.ts')).createUser,
  },
  {
    name: 'user disable',
    summary: 'end all sessions of a person and let none begin',
    details: USER_HELP,
    operands: [USER],
    flags: [DEVICES_FLAG],
    configured: true,
    load: async () => (await import('./commands/user.ts')).disableUser,
  },
  {
    name: 'user enable',
    summary: 'let a disabled person sign in again',
    details: USER_HELP,
    operands: [USER],
    configured: true,
    load: async () => (await import('./commands/user.ts')).enableUser,
  },
  {
    name: 'user remove',
    summary: 'end all sessions of a person and delete the account',
    details: USER_HELP,
    operands: [USER],
    configured: true,
    load: async () => (await import('./commands/user.ts')).removeUser,
  },
  {
    name: 'user set-role',
    summary: 'make a person an owner or a member',
    details: USER_HELP,
    operands: [USER, { name: 'ROLE' }],
    configured: true,
    load: async () => (await import('./commands/user.ts')).setUserRole,
  },
  {
    name: 'user reset-password',
    summary: 'print a one-time link that sets a new password',
    details: `${USER_HELP} The old password stays good until the link is used.`,
    operands: [USER],
    configured: true,
    load: async () => (await import('./commands/user.ts')).resetPassword,
  },
  {
    name: 'session list',
    summary: 'live sessions, of everybody or of one person',
    details: USER_HELP,
    flags: [{ name: 'user', value: 'USER', about: 'of this person alone' }, JSON_FLAG],
    configured: true,
    load: async () => (await import('./commands/session.ts')).listSessions,
  },
  {
    name: 'session end',
    summary: 'end one session and those that depend on it',
    operands: [{ name: 'SESSION' }],
    configured: true,
    load: async () => (await import('./commands/session.ts')).endSession,
  },
  {
    name: 'session end-all',
    summary: 'end every session of a person, everywhere',
    details: USER_HELP,
    operands: [USER],
    flags: [DEVICES_FLAG],
    configured: true,
    load: async () => (await import('./commands/session.ts')).endAllSessions,
  },
  {
    name: 'session move',
    summary: 'take live browser sessions to Redis, or back, so that nobody is signed out',
    details: 'For when Redis is turned on or off. Refused while a server runs; needs redis.url both ways.',
    flags: [{ name: 'to', value: 'redis|sqlite', about: 'where they go' }],
    configured: true,
    load: async () => (await import('./commands/session-move.ts')).moveSessions,
  },
  {
    name: 'device list',
    summary: 'paired devices, of everybody or of one person',
    details: USER_HELP,
    flags: [{ name: 'user', value: 'USER', about: 'of this person alone' }, JSON_FLAG],
    configured: true,
    load: async () => (await import('./commands/device.ts')).listDevices,
  },
  {
    name: 'device pair',
    summary: 'print a code, a link and a QR code with which one device joins',
    details: `${USER_HELP} It becomes a device of that person (default: the only one there is).`,
    operands: [{ ...USER, optional: true }],
    flags: [{ name: 'qr', about: 'draw the QR code also where standard output is no terminal' }],
    configured: true,
    load: async () => (await import('./commands/device.ts')).pairDevice,
  },
  {
    name: 'device unpair',
    summary: 'end a device with everything of it',
    details: 'DEVICE is the handle or the id of a device.',
    operands: [{ name: 'DEVICE' }],
    configured: true,
    load: async () => (await import('./commands/device.ts')).unpairDevice,
  },
  {
    name: 'reap',
    summary: 'delete what has expired (one round of the loop that `serve` runs)',
    configured: true,
    load: async () => (await import('./commands/reap.ts')).reap,
  },
  {
    name: 'rotate',
    summary:
      'refresh tokens of linked accounts that are in use and due (one round of the loop that `serve` runs)',
    details: 'Without a server: those of everybody with a live grant at an MCP backend.',
    configured: true,
    load: async () => (await import('./commands/rotate.ts')).rotate,
  },
  {
    name: 'keys rotate',
    summary: 'make a new secret, keep the one before it, and seal everything anew',
    details: 'Refused where the configuration holds the secret. Sessions and tokens stay good.',
    configured: true,
    load: async () => (await import('./commands/keys.ts')).rotateKeys,
  },
  {
    name: 'keys reseal',
    summary: 'seal everything anew with the current secret',
    configured: true,
    load: async () => (await import('./commands/keys.ts')).resealKeys,
  },
  {
    name: 'backup',
    summary: 'write everything that is kept into one file, also while the server runs',
    details:
      'The file holds the appliance’s secret: keep it like a key. It has mode 0600.\n' +
      'A secret that comes from the configuration is not in it.',
    operands: [{ name: 'FILE' }],
    configured: true,
    load: async () => (await import('./commands/backup.ts')).backup,
  },
  {
    name: 'restore',
    summary: 'put a backup in place of what is kept; everybody has to sign in again',
    details:
      'Refused while the server runs. Sessions, tokens, codes and links of the backup are revoked.\n' +
      'What was there before is moved aside, into the data directory.',
    operands: [{ name: 'FILE' }],
    flags: [
      {
        name: 'keep-devices',
        about: 'devices stay paired; one that was unpaired after the backup was written is paired again',
      },
    ],
    configured: true,
    load: async () => (await import('./commands/restore.ts')).restore,
  },
  {
    name: 'agent',
    summary: 'be a device: join with a link or a code, then keep a tunnel and serve what comes through it',
    details:
      'With --join: pairs this device, and ends. Without: runs until SIGTERM or SIGINT; the log goes to standard error.\n' +
      'Below it: agent status, agent services, agent deliveries, agent receipt, agent rotate-key, agent leave.',
    flags: [
      {
        name: 'join',
        value: 'LINK|CODE|URL',
        about:
          'the link or the code of a pairing; the address of the server, to be let in by somebody who types a code',
      },
      { name: 'server', value: 'URL', about: 'where a code is good' },
      { name: 'name', value: 'NAME', about: 'what the device is called (default: the name of the machine)' },
      { name: 'serial', value: 'TEXT', about: 'its serial number, which no other live device may have' },
      {
        name: 'label',
        value: 'NAME=TEXT',
        repeats: true,
        about: 'a label of the device; may be given several times',
      },
      {
        name: 'service',
        value: 'NAME=TARGET',
        repeats: true,
        about:
          'a service, like web=http://127.0.0.1:8080 or ssh=tcp://127.0.0.1:22; may be given several times',
      },
      AGENT_DIR_FLAG,
      AGENT_CONFIG_FLAG,
      CA_FLAG,
    ],
    load: async () => (await import('./commands/agent.ts')).agent,
  },
  {
    name: 'agent status',
    summary: 'what the agent of this machine is doing; exit 1 unless it is connected',
    flags: [AGENT_DIR_FLAG, JSON_FLAG],
    load: async () => (await import('./commands/agent-status.ts')).agentStatus,
  },
  {
    name: 'agent services',
    summary: 'the services that can be reached here, and whether they take connections',
    flags: [AGENT_DIR_FLAG, AGENT_CONFIG_FLAG, JSON_FLAG],
    load: async () => (await import('./commands/agent-services.ts')).agentServices,
  },
  {
    name: 'agent deliveries',
    summary: 'the messages that wait for this device, one JSON object a line, oldest first',
    details: 'The same come again until `agent receipt` has said what became of them.',
    flags: [AGENT_DIR_FLAG, AGENT_CONFIG_FLAG, CA_FLAG],
    load: async () => (await import('./commands/agent-deliveries.ts')).agentDeliveries,
  },
  {
    name: 'agent receipt',
    summary: 'say what became of a message, done or failed; it does not come again',
    operands: [{ name: 'DELIVERY' }, { name: 'OUTCOME' }],
    flags: [
      { name: 'note', value: 'TEXT', about: 'for whoever left the message' },
      AGENT_DIR_FLAG,
      AGENT_CONFIG_FLAG,
      CA_FLAG,
    ],
    load: async () => (await import('./commands/agent-deliveries.ts')).agentReceipt,
  },
  {
    name: 'agent rotate-key',
    summary: 'give this device a new key; the one before is good no more',
    details: 'For when somebody may have copied it. Without an answer of the server, run it again.',
    flags: [AGENT_DIR_FLAG, AGENT_CONFIG_FLAG, CA_FLAG],
    load: async () => (await import('./commands/agent-rotate-key.ts')).agentRotateKey,
  },
  {
    name: 'agent leave',
    summary: 'unpair this device, and forget its key',
    flags: [AGENT_DIR_FLAG, AGENT_CONFIG_FLAG, CA_FLAG],
    load: async () => (await import('./commands/agent-leave.ts')).agentLeave,
  },
  {
    name: 'connect',
    summary: 'bring a TCP service of a device to a local port, or to standard input and output (for ssh)',
    details:
      'DEVICE is a handle or an id, SERVICE one of its tcp services.\n' +
      'Needs a personal token that was made for both: in POSTERN_TOKEN, in a file, or typed when asked; never an argument.',
    operands: [{ name: 'DEVICE' }, { name: 'SERVICE' }],
    flags: [
      { name: 'server', value: 'URL', about: 'the address of the server (default: POSTERN_SERVER)' },
      {
        name: 'listen',
        value: 'HOST:PORT',
        about: 'where connections are taken (default: 127.0.0.1:0, any free port)',
      },
      {
        name: 'stdio',
        about:
          'one connection over standard input and output: ssh -o ProxyCommand="postern connect pi ssh --stdio"',
      },
      { name: 'token-file', value: 'FILE', about: 'holds the token' },
      CA_FLAG,
    ],
    load: async () => (await import('./commands/connect.ts')).connect,
  },
  {
    name: 'mcp-whoami',
    summary: 'the MCP server that is built in',
    isHidden: true,
    load: async () => (await import('./commands/mcp-whoami.ts')).mcpWhoami,
  },
  {
    name: 'version',
    summary: 'print the version',
    load: async () => (await import('./commands/version.ts')).version,
  },
  {
    name: 'help',
    summary: 'print help, for all or for one command',
    operands: [
      { name: 'COMMAND', optional: true },
      { name: 'SUBCOMMAND', optional: true },
    ],
    load: async () => (await import('./commands/help.ts')).help,
  },
];
