import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { APPLIANCE_ORIGIN } from './seed.ts';
import { type BenchServer, startServer } from './servers.ts';

const CLIENT_ID = 'bench';
/** As many people as a large site; each signs in again and again. */
const PEOPLE = 500;

export interface SignInProvider extends BenchServer {
  /** The table of `postern.toml`. */
  toml: string;
}

/** A provider that costs as little as one can, in a process of its own. */
export async function startSignInProvider(): Promise<SignInProvider> {
  const port = freePort();
  const origin = `http://127.0.0.1:${port}`;
  const program = join(import.meta.dir, 'sign-in-provider-program.ts');
  const command = [process.execPath, program, String(port), CLIENT_ID];
  const server = await startServer({ command, cwd: import.meta.dir, origin, readyPath: '/jwks' });
  const toml = `
[[provider]]
name = "bench"
issuer = "${origin}"
client_id = "${CLIENT_ID}"
client_secret = "a secret of a benchmark, 32 letters"
allow = "everyone"
`;
  return { ...server, toml };
}

export interface SignInLoad {
  origin: string;
  issuer: string;
  seconds: number;
  /** Browsers at once. */
  browsers: number;
}

/** Whole sign-ins through a provider for each second: to the appliance, and back to it with the code. */
export async function signInsPerSecond({ origin, issuer, seconds, browsers }: SignInLoad): Promise<number> {
  const startedAt = performance.now();
  const until = startedAt + seconds * 1_000;
  let done = 0;
  const browse = async () => {
    while (performance.now() < until) {
      await signIn(origin, issuer, done++);
    }
  };
  await Promise.all(Array.from({ length: browsers }, browse));
  return done / ((performance.now() - startedAt) / 1_000);
}

/** @throws when it leads to no session. */
async function signIn(origin: string, issuer: string, index: number): Promise<void> {
  // Everybody comes from an address of their own, as a proxy would tell.
  const headers = {
    host: new URL(APPLIANCE_ORIGIN).host,
    'x-forwarded-proto': 'https',
    'x-forwarded-for': `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
  };
  const begun = await fetch(`${origin}/sign-in/bench`, { headers, redirect: 'manual' });
  const asked = new URL(begun.headers.get('location') ?? '', APPLIANCE_ORIGIN).searchParams;
  const query = new URLSearchParams({
    code: `person-${index % PEOPLE}.${asked.get('nonce') ?? ''}`,
    state: asked.get('state') ?? '',
    iss: issuer,
  });
  const cookie = begun.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ');
  const back = await fetch(`${origin}/callback/bench?${query.toString()}`, {
    headers: { ...headers, cookie },
    redirect: 'manual',
  });
  const text = await back.text();
  if (!back.headers.getSetCookie().some((each) => each.startsWith('__Host-postern=')))
    throw new Error(`nobody was signed in: ${begun.status}, ${back.status} ${text.slice(0, 400)}`);
}
