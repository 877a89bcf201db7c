import { LARGE_MIB } from './tunnel-peers.ts';

/** Run by `tunnel-peers.ts`: `origin`, `hop TARGET`, or `download URL HEADERS`. */

const [role, target = '', headers = '{}'] = process.argv.slice(2);
const listen = { hostname: '127.0.0.1', port: Number(process.env['PORT']), idleTimeout: 60 };

if (role === 'origin') origin();
if (role === 'hop') hop(target);
if (role === 'download') await download(target, JSON.parse(headers) as Record<string, string>);

function origin(): void {
  const large = new Uint8Array(LARGE_MIB * 1_048_576).fill(7);
  Bun.serve({
    ...listen,
    routes: {
      '/small': () => new Response('{"ok":true}', { headers: { 'content-type': 'application/json' } }),
      '/large': () => new Response(large),
    },
    fetch: () => new Response(null, { status: 404 }),
  });
}

/** The least that passes a request on: method, headers and body there, the answer back. */
function hop(to: string): void {
  Bun.serve({
    ...listen,
    fetch(request) {
      const { pathname, search } = new URL(request.url);
      return fetch(to + pathname + search, {
        method: request.method,
        headers: request.headers,
        body: request.body,
        redirect: 'manual',
        decompress: false,
      });
    },
  });
}

async function download(url: string, sent: Record<string, string>): Promise<void> {
  const startedAt = performance.now();
  const response = await fetch(url, { headers: sent });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  let bytes = 0;
  for await (const chunk of response.body ?? []) bytes += chunk.length;
  console.log(`READ ${bytes} ${performance.now() - startedAt}`);
}
