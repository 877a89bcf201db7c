import { describe, expect, test } from 'bun:test';
import { connect, type TLSSocket } from 'node:tls';
import { makeSelfSigned } from '../../../src/http/certificate.ts';
import type { NativeHandler } from '../../../src/http/native.ts';
import { checkMaterial, type TlsMaterial, type TlsSource } from '../../../src/http/tls-source.ts';
import { acceptSocket, type ServerSocket } from '../../../src/http/web-socket.ts';
import { newRoutes, SERVED_HOST, temporaryServer } from '../../support/http-server.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';

const newMaterial = () =>
  makeSelfSigned({ names: [SERVED_HOST, '127.0.0.1'], notBefore: 0, notAfter: Date.UTC(2099, 0, 1) });
const fingerprintOf = (material: TlsMaterial) => checkMaterial(material).fingerprint256;

/** A source that a test changes by hand. */
function changingTls(current: TlsMaterial) {
  let apply: ((material: TlsMaterial) => void) | undefined;
  const source: TlsSource = {
    current,
    fingerprint: fingerprintOf(current),
    onChange(listener) {
      apply = listener;
    },
    async [Symbol.asyncDispose]() {},
  };
  return { source, change: (material: TlsMaterial) => apply?.(material) };
}

/** One connection: which certificate it got, and a request over it. */
async function dial(port: number, { cert }: TlsMaterial) {
  const socket = connect({ host: '127.0.0.1', port, ca: cert, servername: SERVED_HOST });
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return {
    fingerprint: socket.getPeerCertificate().fingerprint256,
    ask: (path: string) => ask(socket, path),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

function ask(socket: TLSSocket, path: string): Promise<string> {
  socket.write(rawHead(`GET ${path} HTTP/1.1`, `Host: ${SERVED_HOST}`));
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

describe('TLS of its own', () => {
  test('takes a new certificate while a request runs', async () => {
    const [first, second] = [newMaterial(), newMaterial()];
    const tls = changingTls(first);
    const begun = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    const routes = newRoutes()
      .get('/fast', () => new Response('fast'))
      .get('/slow', async () => {
        begun.resolve();
        await end.promise;
        return new Response('slow');
      });
    await using server = temporaryServer((router) => router.use(routes), { tls: tls.source });

    using before = await dial(server.port, first);
    expect(before.fingerprint).toBe(fingerprintOf(first));
    const slow = before.ask('/slow');
    await begun.promise;
    tls.change(second);

    using after = await dial(server.port, second);
    expect(after.fingerprint).toBe(fingerprintOf(second));
    expect(await after.ask('/fast')).toEndWith('fast');
    end.resolve();
    expect(await slow).toEndWith('slow');
  });

  test('takes a new certificate while a WebSocket is open, which goes on', async () => {
    const [first, second] = [newMaterial(), newMaterial()];
    const tls = changingTls(first);
    const echo: NativeHandler = (request, _peer, connection) => {
      let own: ServerSocket | undefined;
      return acceptSocket(connection, request, {
        opened: (socket) => {
          own = socket;
        },
        message: (message) => void own?.sendText(String(message)),
        closed: () => undefined,
      });
    };
    const sockets = { maxMessageBytes: 1_000, maxBufferedBytes: 10_000 };
    const limits = { maxBodyBytes: 1_000, headTimeoutMs: 10_000, drainTimeoutMs: 200, sockets };
    await using server = temporaryServer(() => {}, {
      tls: tls.source,
      ownRoutes: { '/echo': echo },
      limits,
    });
    const socket = new WebSocket(`wss://127.0.0.1:${server.port}/echo`, {
      headers: { host: SERVED_HOST },
      tls: { ca: first.cert },
    });
    await new Promise((resolve) => {
      socket.addEventListener('open', resolve, { once: true });
    });
    const said = async (text: string) => {
      const heard = new Promise((resolve) => {
        socket.addEventListener('message', ({ data }) => resolve(data), { once: true });
      });
      socket.send(text);
      return heard;
    };
    expect(await said('before')).toBe('before');
    tls.change(second);
    using after = await dial(server.port, second);
    expect(after.fingerprint).toBe(fingerprintOf(second));
    expect(await said('after')).toBe('after');
    socket.close();
  });

  test('loses no caller over many changes', async () => {
    const materials = Array.from({ length: 5 }, newMaterial);
    const [first] = materials;
    if (first === undefined) throw new Error('there are five');
    const tls = changingTls(first);
    await using server = temporaryServer(
      (router) => router.use(newRoutes().get('/fast', () => new Response('fast'))),
      { tls: tls.source },
    );
    for (const material of materials) {
      tls.change(material);
      const callers = Array.from({ length: 10 }, async () => {
        using caller = await dial(server.port, material);
        return await caller.ask('/fast');
      });
      expect((await Promise.all(callers)).every((text) => text.endsWith('fast'))).toBe(true);
    }
  });

  test('answers nothing in the clear', async () => {
    await using server = temporaryServer(() => {}, { tls: changingTls(newMaterial()).source });
    const answer = await rawHttp(server.port, rawHead('GET / HTTP/1.1', `Host: ${SERVED_HOST}`)).catch(
      () => undefined,
    );
    expect(answer?.status ?? 0).toBe(0);
  });
});
