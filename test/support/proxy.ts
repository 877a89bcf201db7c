import { connect } from 'node:net';
import { locatePeer } from '../../scripts/peers.ts';
import { until } from './until.ts';

/** Where things are that a guide's configuration names. */
export interface ProxySetup {
  /** Everything the proxy writes goes here. */
  directory: string;
  certificate: { readonly cert: string; readonly key: string };
  /** Ports of 127.0.0.1. */
  posternPort: number;
  appPort: number;
  notesPort: number;
  /** A host beside those of the guide, on the same site as the app: to attack from. */
  sibling: { readonly host: string; readonly port: number };
}

/** A real proxy that runs the configuration of its guide. */
export interface TestProxy extends AsyncDisposable {
  readonly name: string;
  /** Where it speaks TLS. */
  readonly port: number;
  /** What it complained of. */
  errors(): string;
}

interface ProxyProgram {
  name: string;
  arguments: readonly string[];
  env?: Record<string, string>;
  cwd: string;
  port: number;
}

/** Starts a proxy and waits until it takes connections. Disposing ends it and waits for that. */
export async function startProxy({
  name,
  arguments: args,
  env,
  cwd,
  port,
}: ProxyProgram): Promise<TestProxy> {
  const file = locatePeer(name);
  if (file === undefined) throw new Error(`${name} is missing: apt-get install ${name}`);
  const child = Bun.spawn([file, ...args], { cwd, env: { ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) errors += decoder.decode(chunk, { stream: true });
  })();
  const end = async () => {
    child.kill('SIGTERM');
    await Promise.all([child.exited, reading]);
  };
  try {
    await until(`${name} takes connections`, () => {
      if (child.exitCode !== null) throw new Error(`${name} ended: ${errors}`);
      return takesConnections(port);
    });
  } catch (error) {
    await end();
    throw error;
  }
  return { name, port, errors: () => errors, [Symbol.asyncDispose]: end };
}

export function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
