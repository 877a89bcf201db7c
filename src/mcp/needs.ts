import { placeholdersIn } from '../config/faults-mcp.ts';
import { resourceAudience } from '../sessions/audience.ts';
import type { BackendNeeds } from '../upstream/needs.ts';
import type { Backend } from './model.ts';

const SECRET = 'secret.';

/** What backends want of people, from what their environment and headers hold. */
export function backendNeeds(backends: readonly Backend[]): BackendNeeds[] {
  return backends.map(({ name, resource, provider, transport }) => ({
    name,
    audience: resourceAudience(resource),
    provider,
    secrets: secretsOf(transport.kind === 'stdio' ? transport.env : transport.headers),
  }));
}

function secretsOf(table: Readonly<Record<string, string>>): string[] {
  const names = Object.values(table).flatMap(placeholdersIn);
  return [
    ...new Set(names.filter((name) => name.startsWith(SECRET)).map((name) => name.slice(SECRET.length))),
  ];
}
