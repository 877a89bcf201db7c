import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { TargetOptions } from '../../../src/agent/targets.ts';
import { agentStreams, httpHead, target } from '../../support/agent-stream.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { rawService } from '../../support/raw-service.ts';

const directory = temporaryDirectory();
let ca: string;
let server: Bun.Server<undefined>;

beforeAll(async () => {
  const { cert, key } = await makeCertificate(directory.path, ['nas.lan']);
  ca = await Bun.file(cert).text();
  server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    tls: { cert: ca, key: await Bun.file(key).text() },
    fetch(request, running) {
      if (running.upgrade(request, { data: undefined })) return undefined;
      return new Response(`at ${request.headers.get('host')}`);
    },
    websocket: { message: (socket, message) => void socket.send(message) },
  });
});
afterAll(async () => {
  await server?.stop(true);
  directory[Symbol.dispose]();
});

const at = (options: TargetOptions) =>
  agentStreams({ services: { web: target(`https://127.0.0.1:${server.port}`, options) } });

describe('an https service', () => {
  test('whose certificate is believed, under the name that it is for', async () => {
    using streams = at({ ca, host: 'nas.lan:5001' });
    const { head, heard } = await streams.request({});
    expect([head, heard.text()]).toEqual([expect.objectContaining({ status: 200 }), 'at nas.lan:5001']);
  });

  test('whose certificate is not looked at', async () => {
    using streams = at({ verify: false });
    expect((await streams.request({})).head).toMatchObject({ status: 200 });
  });

  test.each([
    ['nobody believes', { host: 'nas.lan' }],
    ['is for another name', { host: 'other.lan' }],
  ])('whose certificate %s is not asked', async (what, { host }) => {
    using streams = at(what === 'nobody believes' ? { host } : { host, ca });
    expect((await streams.request({})).head).toEqual({ refused: 'service_unreachable' });
    const told = streams.log.lines.find(({ message }) => message === 'a service gave no answer');
    expect(String(told?.fields['error'])).toContain('certificate');
  });

  test('that speaks no TLS', async () => {
    using plain = rawService(() => 'HTTP/1.1 400 Bad Request\r\n\r\n');
    using streams = agentStreams({
      services: { web: target(`https://127.0.0.1:${plain.port}`, { verify: false }) },
    });
    expect((await streams.request({})).head).toEqual({ refused: 'service_failed' });
  });

  test.each<[string, TargetOptions, boolean]>([
    ['is believed, under the name that it is for', { host: 'nas.lan:5001' }, true],
    ['is not looked at', { verify: false }, true],
    ['is for another name', { host: 'other.lan' }, false],
    ['is for a name, and the service is an address', {}, false],
  ])('and its WebSockets, where the certificate %s', async (_what, options, isTaken) => {
    using streams = at({ ca, ...options });
    const { head } = await streams.open(httpHead({ kind: 'websocket' })).answer;
    expect(head).toEqual(isTaken ? { status: 101, headers: [] } : { refused: 'service_unreachable' });
  });

  test('and its WebSockets, where nobody believes the certificate', async () => {
    using streams = at({ host: 'nas.lan' });
    const { head } = await streams.open(httpHead({ kind: 'websocket' })).answer;
    expect(head).toEqual({ refused: 'service_unreachable' });
  });
});
