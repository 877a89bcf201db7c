import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { missingPeers } from './peers.ts';
import { runStep } from './step.ts';

/** Debian asks this program before it starts or stops a service (`man invoke-rc.d`). */
const POLICY = '/usr/sbin/policy-rc.d';
const POLICY_ASIDE = `${POLICY}.before-postern`;
const START_NOTHING =
  '#!/bin/sh\n# Written while the tests install packages, and removed right after: start no service.\nexit 101\n';

const APT_ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };

/**
 * Sees to it that every peer is installed: does nothing when they are, installs them through apt-get as root, and
 * otherwise says in one line which are missing and how to get them.
 */
export async function installPeers(): Promise<boolean> {
  const names = missingPeers().map(({ debianPackage }) => debianPackage);
  if (names.length === 0) return true;
  const mayInstall = process.getuid?.() === 0 && Bun.which('apt-get') !== null;
  if (!mayInstall) {
    console.error(
      `missing: ${names.join(' ')}; as root: apt-get install --no-install-recommends ${names.join(' ')}`,
    );
    return false;
  }
  using _policy = startNoServices();
  const installed =
    (await aptGet('reading the package lists', ['update'])) &&
    (await aptGet(installTitle(names), ['install', '--yes', '--no-install-recommends', ...names]));
  if (!installed) return false;
  await disableServices(names);
  const still = missingPeers().map(({ debianPackage }) => debianPackage);
  if (still.length > 0)
    console.error(
      `apt-get installed everything it was asked for, and these are still missing: ${still.join(' ')}`,
    );
  return still.length === 0;
}

const installTitle = (names: readonly string[]) => `installing Debian packages: ${names.join(' ')}`;

function aptGet(title: string, args: readonly string[]): Promise<boolean> {
  return runStep({ title, command: ['apt-get', '--quiet', ...args], env: APT_ENVIRONMENT, output: 'shown' });
}

/** A machine where the tests ran once must not open ports 80 and 2019 at its next boot. */
async function disableServices(packages: readonly string[]): Promise<void> {
  if (Bun.which('systemctl') === null) return;
  for (const name of packages.filter((each) => existsSync(`/lib/systemd/system/${each}.service`))) {
    await runStep({
      title: `keeping ${name} from starting at boot`,
      command: ['systemctl', '--quiet', 'disable', name],
      quiet: true,
    });
  }
}

/**
 * Puts the policy in place until disposed of; an administrator's own policy is set aside and comes back.
 * A signal waits for apt-get, because what it still configures asks the policy too.
 */
function startNoServices(): Disposable {
  const leftBehind = existsSync(POLICY) && readFileSync(POLICY, 'utf8') === START_NOTHING;
  if (existsSync(POLICY) && !leftBehind) renameSync(POLICY, POLICY_ASIDE);
  writeFileSync(POLICY, START_NOTHING, { mode: 0o755 });
  let interrupted = false;
  const onSignal = () => {
    interrupted = true;
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    [Symbol.dispose]() {
      rmSync(POLICY, { force: true });
      if (existsSync(POLICY_ASIDE)) renameSync(POLICY_ASIDE, POLICY);
      for (const signal of signals) process.off(signal, onSignal);
      if (interrupted) process.exit(130);
    },
  };
}
