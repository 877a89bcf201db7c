import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { locatePeer } from '../../scripts/peers.ts';
import { freePort } from './free-port.ts';
import { startProgram } from './program.ts';
import { takesConnections } from './proxy.ts';
import { until } from './until.ts';

/** A real SSH server of this machine, into which one key may log in. */
export interface Sshd extends AsyncDisposable {
  readonly port: number;
  /** Runs a command through `ssh`, which reaches the server by this program. */
  ssh(proxyCommand: string, command: string, input?: Blob): Promise<SshOutcome>;
}

export interface SshOutcome {
  exitCode: number;
  out: Uint8Array;
  err: string;
}

/** Where it wants to drop its privileges (`man sshd`); it is not made at boot where nobody has started the service. */
const PRIVILEGE_SEPARATION = '/run/sshd';

export async function startSshd(directory: string): Promise<Sshd> {
  const program = needed('sshd', 'openssh-server');
  const client = needed('ssh', 'openssh-client');
  const path = (name: string) => join(directory, name);
  for (const name of ['host', 'user']) await makeKey(path(name));
  writeFileSync(path('authorized_keys'), await Bun.file(path('user.pub')).text(), { mode: 0o600 });
  if (process.getuid?.() === 0) mkdirSync(PRIVILEGE_SEPARATION, { recursive: true });
  const port = freePort();
  writeFileSync(path('sshd_config'), configuration(port, path));
  const env = { PATH: process.env['PATH'] ?? '' };
  const server = startProgram([program, '-D', '-e', '-f', path('sshd_config')], directory, env);
  await until('sshd takes connections', () => takesConnections(port));
  return {
    port,
    async ssh(proxyCommand, command, input) {
      const options = [
        `ProxyCommand=${proxyCommand}`,
        `IdentityFile=${path('user')}`,
        `UserKnownHostsFile=${path('known_hosts')}`,
        'StrictHostKeyChecking=accept-new',
        'BatchMode=yes',
      ].flatMap((each) => ['-o', each]);
      const argv = [client, '-F', 'none', ...options, `${whoIsThis()}@device`, command];
      const child = Bun.spawn(argv, { env, stdin: input ?? 'ignore', stdout: 'pipe', stderr: 'pipe' });
      const [out, err] = await Promise.all([
        new Response(child.stdout).bytes(),
        new Response(child.stderr).text(),
      ]);
      return { exitCode: await child.exited, out, err };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function configuration(port: number, path: (name: string) => string): string {
  return `Port ${port}
ListenAddress 127.0.0.1
HostKey ${path('host')}
AuthorizedKeysFile ${path('authorized_keys')}
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
LogLevel ERROR
`;
}

async function makeKey(file: string): Promise<void> {
  const child = Bun.spawn(
    [needed('ssh-keygen', 'openssh-client'), '-q', '-t', 'ed25519', '-N', '', '-f', file],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  if ((await child.exited) !== 0) throw new Error('ssh-keygen made no key');
}

/** The runtime asks the environment, which may say nothing. */
function whoIsThis(): string {
  return Bun.spawnSync([needed('id', 'coreutils'), '-un'])
    .stdout.toString()
    .trim();
}

function needed(program: string, debianPackage: string): string {
  const file = locatePeer(program);
  if (file === undefined) throw new Error(`${program} is missing: apt-get install ${debianPackage}`);
  return file;
}
