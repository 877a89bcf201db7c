import type { User } from '../users/model.ts';

/** What the placeholders of one backend stand for, for one person at one moment. */
export interface PlaceholderValues {
  readonly user: User;
  /** Of the backend's provider. */
  readonly accessToken: string | undefined;
  /** A secret that the person pasted. */
  readonly secret: (name: string) => string | undefined;
}

/** A template with its placeholders replaced, and those values among them that nobody may see. */
export interface Filled {
  readonly values: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** Placeholders that stand for nothing yet, as they are written; then `values` is not to be used. */
  readonly missing: readonly string[];
}

const PLACEHOLDER = /\$\{([^}]*)\}/g;

/** Fills every value of a table. Control characters of what a person is called become spaces; a secret never holds any. */
export function fillPlaceholders(table: Readonly<Record<string, string>>, source: PlaceholderValues): Filled {
  const secrets = new Set<string>();
  const missing = new Set<string>();
  const fill = (template: string) =>
    template.replaceAll(PLACEHOLDER, (_whole, name: string) => {
      const value = valueOf(name, source);
      if (value === undefined) missing.add(`\${${name}}`);
      else if (!name.startsWith('user.')) secrets.add(value);
      return value ?? '';
    });
  const values = Object.fromEntries(Object.entries(table).map(([name, text]) => [name, fill(text)]));
  return { values, secrets: [...secrets], missing: [...missing] };
}

/** An address that a person has not is empty; a token or secret that is not there is missing. */
function valueOf(name: string, { user, accessToken, secret }: PlaceholderValues): string | undefined {
  if (name === 'upstream.access_token') return oneLine(accessToken);
  if (name.startsWith('secret.')) return oneLine(secret(name.slice('secret.'.length)));
  const ofUser: Record<string, string> = {
    'user.id': user.id,
    'user.username': user.username,
    'user.name': user.displayName,
    'user.email': user.email ?? '',
  };
  return ofUser[name]?.replaceAll(/\p{Cc}/gu, ' ');
}

/** What would end a variable or a header early is nothing that a provider or a person meant. */
function oneLine(secret: string | undefined): string | undefined {
  return secret === undefined || /[\0\r\n]/.test(secret) ? undefined : secret;
}
