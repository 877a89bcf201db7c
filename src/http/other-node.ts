import type { RoleGuard } from '../db/role-guard.ts';
import type { NativeHandler, NativeRoutes } from './native.ts';

/** A handler of what belongs to a role: as it is where the role is done here, and otherwise one that refuses. */
export function onlyWith(role: Pick<RoleGuard, 'isHere' | 'require'>, handle: NativeHandler): NativeHandler {
  if (role.isHere) return handle;
  return (...asked) => {
    role.require();
    return handle(...asked);
  };
}

/** The same for all of these. */
export function routesOnlyWith(
  role: Pick<RoleGuard, 'isHere' | 'require'>,
  routes: NativeRoutes,
): NativeRoutes {
  return Object.fromEntries(Object.entries(routes).map(([path, handle]) => [path, onlyWith(role, handle)]));
}
