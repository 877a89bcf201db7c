import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { missingPeers } from './peers.ts';
import { runStep } from './step.ts';

/** What installing has to do with; tests bring one of their own. */
export interface Machine {
  /** Debian packages whose programs are not there. */
  missing: () => string[];
  /** Whether packages may be installed: as root, where there is apt-get. */
  mayInstall: boolean;
  aptGet: (title: string, args: readonly string[]) => Promise<boolean>;
  /** Services that start at boot. */
  enabledServices: () => string[];
  disableService: (name: string) => Promise<void>;
  /** The program that Debian asks before it starts a service (`man invoke-rc.d`). */
  policyFile: string;
  complain: (line: string) => void;
}

const START_NOTHING =
  '#!/bin/sh\n# Written while the tests install packages, and removed right after: start no service.\nexit 101\n';

/** Where systemd finds what a package has enabled. */
const SERVICES_AT_BOOT = ['multi-user.target.wants', 'timers.target.wants'].map(
  (target) => `/etc/systemd/system/${target}`,
);

/**
 * Sees to it that every peer is installed: does nothing when they are, installs them through apt-get where it may, and
 * otherwise says in one line which are missing and how to get them.
 */
export async function installPeers(machine: Machine = thisMachine()): Promise<boolean> {
  const names = machine.missing();
  if (names.length === 0) return true;
  if (!machine.mayInstall) {
    machine.complain(
      `missing: ${names.join(' ')} (as root: apt-get install --no-install-recommends ${names.join(' ')})`,
    );
    return false;
  }
  using _policy = startNoServices(machine.policyFile);
  const enabledBefore = new Set(machine.enabledServices());
  const install = ['install', '--yes', '--no-install-recommends', ...names];
  const installed =
    (await machine.aptGet('reading the package lists', ['update'])) &&
    (await machine.aptGet(`installing Debian packages: ${names.join(' ')}`, install));
  if (!installed) return false;
  // A machine where the tests ran once must not open ports at its next boot.
  const enabledSince = machine.enabledServices().filter((service) => !enabledBefore.has(service));
  for (const service of enabledSince) await machine.disableService(service);
  const still = machine.missing();
  if (still.length > 0)
    machine.complain(`still missing after apt-get has installed them: ${still.join(' ')}`);
  return still.length === 0;
}

/**
 * Puts the policy in place until disposed of; an administrator's own policy is set aside and comes back.
 * A signal waits for apt-get, because what it still configures asks the policy too.
 */
function startNoServices(policyFile: string): Disposable {
  const aside = `${policyFile}.before-postern`;
  const leftBehind = existsSync(policyFile) && readFileSync(policyFile, 'utf8') === START_NOTHING;
  if (existsSync(policyFile) && !leftBehind) renameSync(policyFile, aside);
  writeFileSync(policyFile, START_NOTHING, { mode: 0o755 });
  let interrupted = false;
  const onSignal = () => {
    interrupted = true;
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    [Symbol.dispose]() {
      rmSync(policyFile, { force: true });
      if (existsSync(aside)) renameSync(aside, policyFile);
      for (const signal of signals) process.off(signal, onSignal);
      if (interrupted) process.exit(130);
    },
  };
}

function thisMachine(): Machine {
  return {
    missing: () => missingPeers().map(({ debianPackage }) => debianPackage),
    mayInstall: process.getuid?.() === 0 && Bun.which('apt-get') !== null,
    aptGet: (title, args) =>
      runStep({
        title,
        command: ['apt-get', '--quiet', ...args],
        env: { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' },
        output: 'shown',
      }),
    enabledServices: () =>
      SERVICES_AT_BOOT.filter((folder) => existsSync(folder)).flatMap((folder) => readdirSync(folder)),
    async disableService(name) {
      if (Bun.which('systemctl') === null) return;
      const command = ['systemctl', '--quiet', 'disable', name] as const;
      await runStep({ title: `keeping ${name} from starting at boot`, command, quiet: true });
    },
    policyFile: '/usr/sbin/policy-rc.d',
    complain: (line) => console.error(line),
  };
}
