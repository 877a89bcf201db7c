import { AuthorizationError, type ProtectedResource } from './model.ts';

/**
 * The resources that a request may be about: the one it names (RFC 8707 section 2), the one its scope belongs to, or all of
 * them, one of which is chosen at consent. @throws AuthorizationError `invalid_target`.
 */
export function checkResource(
  asked: readonly string[],
  scopes: readonly string[],
  resources: readonly ProtectedResource[],
): readonly ProtectedResource[] {
  if (asked.length > 1) throw new AuthorizationError('invalid_target', 'one resource at a time');
  const [indicator] = asked;
  if (indicator !== undefined) {
    const named = findResource(indicator, resources);
    if (named === undefined) throw new AuthorizationError('invalid_target', 'the resource is unknown');
    return [named];
  }
  const scoped = resources.filter(({ scope }) => scopes.includes(scope));
  if (scoped.length > 1) throw new AuthorizationError('invalid_scope', 'one scope of a resource at a time');
  return scoped.length === 1 ? scoped : resources;
}

/** The resource of an indicator; how its scheme and host are written does not matter. */
export function findResource(
  indicator: string,
  resources: readonly ProtectedResource[],
): ProtectedResource | undefined {
  const exact = resources.find(({ resource }) => resource === indicator);
  if (exact !== undefined) return exact;
  const normal = URL.parse(indicator)?.href;
  return resources.find(({ resource }) => new URL(resource).href === normal);
}
