import { expect, test } from 'bun:test';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPeers, type Machine } from '../../../scripts/debian.ts';
import { temporaryDirectory } from '../../support/database.ts';

interface FakeMachine extends Machine, Disposable {
  /** What was done, in order; for apt-get with the policy as it stood. */
  done: string[];
  lines: string[];
}

function fakeMachine(over: Partial<Machine> = {}): FakeMachine {
  const directory = temporaryDirectory();
  const policyFile = join(directory.path, 'policy-rc.d');
  const done: string[] = [];
  const lines: string[] = [];
  let installed = false;
  return {
    missing: () => (installed ? [] : ['nginx', 'caddy']),
    mayInstall: true,
    aptGet: async (_title, args) => {
      const policy = existsSync(policyFile) ? readFileSync(policyFile, 'utf8') : 'none';
      done.push(`${args.join(' ')} [${policy.includes('exit 101') ? 'no services' : policy}]`);
      installed ||= args[0] === 'install';
      return true;
    },
    enabledServices: () => ['ssh.service', ...(installed ? ['nginx.service', 'caddy.service'] : [])],
    disableService: async (name) => void done.push(`disable ${name}`),
    policyFile,
    complain: (line) => void lines.push(line),
    done,
    lines,
    [Symbol.dispose]: () => directory[Symbol.dispose](),
    ...over,
  };
}

test('with everything there, nothing is called', async () => {
  using machine = fakeMachine({ missing: () => [] });
  expect(await installPeers(machine)).toBe(true);
  expect(machine.done).toEqual([]);
});

test('lists are read first, nothing is started, and no policy stays behind', async () => {
  using machine = fakeMachine();
  expect(await installPeers(machine)).toBe(true);
  expect(machine.done).toEqual([
    'update [no services]',
    'install --yes --no-install-recommends nginx caddy [no services]',
    'disable nginx.service',
    'disable caddy.service',
  ]);
  expect(existsSync(machine.policyFile)).toBe(false);
});

test('an administrator’s own policy comes back, its mode too', async () => {
  using machine = fakeMachine();
  writeFileSync(machine.policyFile, 'own policy', { mode: 0o700 });
  await installPeers(machine);
  expect(machine.done[0]).toBe('update [no services]');
  expect(readFileSync(machine.policyFile, 'utf8')).toBe('own policy');
  expect(statSync(machine.policyFile).mode & 0o777).toBe(0o700);
});

test('a policy that a killed run left is removed, and the one it had set aside comes back', async () => {
  using killed = fakeMachine({ aptGet: () => Promise.reject(new Error('killed')) });
  writeFileSync(killed.policyFile, 'own policy');
  let ours = '';
  const aptGet = async () => {
    ours = readFileSync(killed.policyFile, 'utf8');
    return false;
  };
  await installPeers({ ...killed, aptGet });
  writeFileSync(`${killed.policyFile}.before-postern`, 'own policy');
  writeFileSync(killed.policyFile, ours);
  await installPeers({ ...killed, aptGet });
  expect(readFileSync(killed.policyFile, 'utf8')).toBe('own policy');
});

test('who may not install is told in one line what to do', async () => {
  using machine = fakeMachine({ mayInstall: false });
  expect(await installPeers(machine)).toBe(false);
  expect(machine.done).toEqual([]);
  expect(machine.lines).toEqual([
    'missing: nginx caddy (as root: apt-get install --no-install-recommends nginx caddy)',
  ]);
});

test('apt-get that fails, or that leaves something missing, is a failure', async () => {
  using failing = fakeMachine({ aptGet: () => Promise.resolve(false) });
  expect(await installPeers(failing)).toBe(false);
  expect(existsSync(failing.policyFile)).toBe(false);
  using forgetful = fakeMachine({ missing: () => ['caddy'] });
  expect(await installPeers(forgetful)).toBe(false);
  expect(forgetful.lines).toEqual(['still missing after apt-get has installed them: caddy']);
});
