import { type RoleGuard, roleGuard } from '../../src/db/role-guard.ts';
import { onlySeat } from '../../src/db/seats.ts';

/** A role of the process under test. */
export const hereOnly: RoleGuard = roleGuard('hub', onlySeat({ node: 'here' }));

/** One that another node has. */
export const elsewhere = (role: string, node: string | undefined): RoleGuard =>
  roleGuard(role, { isHere: false, holder: () => node });
