import { type KnownKey, type KnownTable, knownEntries, knownKeys } from './known-keys.ts';
import { environmentName, isNameable } from './names.ts';
import { tomlValue } from './toml.ts';

const INTRODUCTION = `# Configuration

<!-- Made from src/config/schema.ts by \`bun scripts/configuration-reference.ts\`; changes by hand are lost. -->

Postern needs no configuration to start. What it is told comes from three places, the first that speaks wins:

1. flags: \`--sessions.cache-size 5\`, \`--sessions.cache-size=5\`; a key that is true or false needs no value: \`--demo\`
2. the environment: \`POSTERN_SESSIONS_CACHE_SIZE=5\`
3. the file \`postern.toml\` of the working directory, or the one that \`--config\` or \`POSTERN_CONFIG\` names

\`postern config\` prints what all of it together means, secrets masked. Everything that is wrong is reported at once, with
where it came from and what is expected, and ends the command with exit status 2; unknown keys are errors too.

For example:

\`\`\`toml
url = "https://auth.example.com"
trusted_proxies = ["127.0.0.0/8"]

[[provider]]
name = "home"
issuer = "https://id.example.com"
client_id = "postern"
# client_secret: POSTERN_PROVIDER_HOME_CLIENT_SECRET_FILE=/run/secrets/home
allow = { groups = ["family"] }
owners = { emails = ["ada@example.com"] }

[[forward_auth.rule]]
host = "photos.example.com"
allow = "everyone"
\`\`\`

**In the environment** a list is written with commas, \`POSTERN_TRUSTED_PROXIES=10.0.0.2/32,10.0.0.3/32\`, and the elements of
\`[[provider]]\` are found by name, hyphens written as underscores: \`POSTERN_PROVIDER_HOME_LAB_CLIENT_SECRET\` is
\`client_secret\` of the provider \`home-lab\`, which is made when the file has none of that name. Rules of forward-auth have no
name; they are written in the file. With \`_FILE\` behind its name a variable names a file that holds the value
(\`POSTERN_PROVIDER_HOME_LAB_CLIENT_SECRET_FILE=/run/secrets/postern\`); one line break at the end of it does not count. Variables
that Kubernetes and Docker make up for a service called \`postern\` (\`POSTERN_SERVICE_HOST\`, \`POSTERN_PORT_7400_TCP\` and so on) are ignored.

**Secrets** are refused as flags, because every user of a machine can read its command lines. \`secret\` is made once and kept as
\`secret\` in the data directory (mode 0600) when you give none. To change one that you gave, keep the old one beside it a while:

\`\`\`toml
secret = "at-least-32-random-bytes-of-your-own"
previous_secrets = ["the-secret-before-it-of-32-bytes-or-more"]
\`\`\`

A given \`secret\` leaves the one in the data directory unused; what that file holds, without its line break, can stand in
\`previous_secrets\`. The values on this page are refused.

**Values.** Durations are texts: \`"250ms"\`, \`"30s"\`, \`"10m"\`, \`"24h"\`, \`"30d"\`; they and all bounds are above zero. Relative paths begin at
the working directory, wherever they are written. The data directory is made with mode 0700; one that others can read is used with a
warning, and one that anybody can write to is refused.
`;

/** The page `docs/configuration.md`. */
export function configurationReference(): string {
  const sections = headings.map((heading) => renderSection(heading, keysUnder(heading)));
  return [INTRODUCTION, ...sections].join('\n');
}

const keyNames = new Set(knownKeys().map(({ path }) => path.join('.')));

/** Tables with a heading of their own. The others stand in the place of a word, or inside an element of a list. */
const headings = knownEntries().filter((entry): entry is KnownTable => {
  const inElement = entry.path.slice(0, -1).includes('*');
  return entry.kind === 'table' && !inElement && !keyNames.has(entry.path.join('.'));
});

function keysUnder(heading: KnownTable): KnownKey[] {
  return knownKeys().filter(({ path }) => {
    const holders = headings.filter((each) => each.path.every((segment, at) => path[at] === segment));
    const nearest = holders.toSorted((a, b) => b.path.length - a.path.length)[0];
    return nearest === heading;
  });
}

function renderSection({ path, description }: KnownTable, keys: readonly KnownKey[]): string {
  const about = description === '' ? [] : [`${capital(description)}.`, ''];
  return [`## ${titleOf(path)}`, '', ...about, ...keys.map((key) => renderKey(key, path.length)), ''].join(
    '\n',
  );
}

function titleOf(path: readonly string[]): string {
  if (path.length === 0) return 'At the top';
  const name = path.filter((segment) => segment !== '*').join('.');
  return path.includes('*') ? `\`[[${name}]]\`` : `\`[${name}]\``;
}

function renderKey(key: KnownKey, depth: number): string {
  const facts = [typeOf(key), requirementOf(key), ...(key.secret ? ['never shown'] : []), ...namesOf(key)];
  return `- **\`${key.path.slice(depth).join('.')}\`** · ${facts.join(' · ')}\n  ${key.description}`;
}

function typeOf({ kind, choices, path }: KnownKey): string {
  const words = choices.map((choice) => `\`${JSON.stringify(choice)}\``).join(' or ');
  const name = path.join('.');
  const orTable = knownEntries().some((entry) => entry.kind === 'table' && entry.path.join('.') === name);
  return kind === 'choice' ? `${words}${orTable ? ' or a table' : ''}` : TYPES[kind];
}

const TYPES = {
  text: 'text',
  integer: 'whole number',
  boolean: '`true` or `false`',
  duration: 'duration',
  list: 'list of texts',
  map: 'table of texts, in the file alone',
} as const;

function requirementOf({ required, defaultValue }: KnownKey): string {
  if (defaultValue !== undefined) return `default \`${tomlValue(defaultValue)}\``;
  return required ? 'required' : 'optional';
}

/** `POSTERN_PROVIDER_<NAME>_ISSUER`; the elements of a list without names have none. */
function namesOf(key: KnownKey): string[] {
  return isNameable(key) ? [`\`${environmentName(key.path).replace('*', '<NAME>')}\``] : [];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
