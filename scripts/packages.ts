import { bun, runStep } from './step.ts';

/** Installs the npm packages by the lock file; when all are there already it takes milliseconds and no network. */
export async function installPackages({ production = false, quiet = false } = {}): Promise<boolean> {
  const command = [bun, 'install', '--frozen-lockfile', ...(production ? ['--production'] : [])] as const;
  return runStep({ title: 'installing npm packages by the lock file', command, quiet });
}
