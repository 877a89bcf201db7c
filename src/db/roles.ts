import { join } from 'node:path';
import { lockHolder, takeNamedLock } from './file-lock.ts';
import { HeldByAnother } from './lock.ts';

/** Another process of this data directory has a role that this one is configured for. */
export class RoleTaken extends HeldByAnother {
  readonly role: string;

  constructor(role: string, holder: string) {
    super(
      `the node ${holder === '' ? 'that has just started' : `"${holder}"`} is ${role} already; leave ${role} out of roles here, or end that node`,
    );
    this.role = role;
  }
}

const roleFile = (dataDir: string, role: string) => join(dataDir, `role-${role}.db`);

/** Takes a role for this process, under its node's name. @throws RoleTaken while another process has it. */
export function takeRole(dataDir: string, role: string, node: string): Disposable {
  const path = roleFile(dataDir, role);
  const held = takeNamedLock(path, node);
  if (held === undefined) throw new RoleTaken(role, lockHolder(path) ?? '');
  return held;
}

/** The name of the node that has a role; `undefined` when none has. */
export function roleHolder(dataDir: string, role: string): string | undefined {
  return lockHolder(roleFile(dataDir, role));
}
