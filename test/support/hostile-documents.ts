import type { Clock } from '../../src/lib/clock.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { fetchUntrusted, type Reach } from '../../src/lib/safe-fetch.ts';
import { makeCertificate } from './certificate.ts';
import { temporaryDirectory } from './database.ts';

/** The name in the certificate. */
export const DOCUMENT_HOST = 'client.example';

type Answer = (request: Request) => Response | Promise<Response>;

/** A web server that says what a test wants of it, and an internet in which its name leads to it. */
export async function documentServer() {
  const directory = temporaryDirectory();
  const { cert, key } = await makeCertificate(directory.path, [DOCUMENT_HOST]);
  const ca = await Bun.file(cert).text();
  const answers = new Map<string, Answer>();
  const asked: string[] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    tls: { cert: ca, key: Bun.file(key) },
    fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      return answers.get(pathname)?.(request) ?? new Response('nothing here', { status: 404 });
    },
  });
  const reach: Reach = {
    resolve: async () => ['127.0.0.1'],
    mayConnect: (address) => address === '127.0.0.1',
    ca,
  };
  const url = (path: string) => `https://${DOCUMENT_HOST}:${server.port}${path}`;
  return {
    url,
    /** The origin of its documents. */
    origin: `https://${DOCUMENT_HOST}:${server.port}`,
    port: server.port,
    reach,
    asked,
    answer: (path: string, answer: Answer) => void answers.set(path, answer),
    fetchDocument: (address: string, clock: Clock = systemClock) =>
      fetchUntrusted(
        address,
        { accept: 'application/json' },
        { clock, timeoutMs: 5_000, maxBytes: 5_120 },
        reach,
      ),
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      directory[Symbol.dispose]();
    },
  };
}
