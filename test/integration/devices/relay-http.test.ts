import { describe, expect, test } from 'bun:test';
import { encodeAnswerHead, type RefusalCode } from '../../../src/tunnel/heads.ts';
import type { TunnelStream } from '../../../src/tunnel/model.ts';
import { target } from '../../support/agent-stream.ts';
import { codeOf } from '../../support/pairing.ts';
import { rawHttp } from '../../support/raw-http.ts';
import { connected } from '../../support/tunnel-agent.ts';
import { type TunnelSite, tunnelSite } from '../../support/tunnel-site.ts';
import { steady, until } from '../../support/until.ts';

interface Asked {
  method: string;
  target: string;
  headers: Record<string, string>;
  body: string;
}

const asked = async (response: Response) => (await response.json()) as Asked;

/** Bytes as a client by hand sends them to the device, with a token. */
function raw({ api, device, token }: TunnelSite, line: string, ...headers: string[]) {
  const [method = '', path = ''] = line.split(' ');
  const lines = [
    `${method} /d/${device.handle}/web${path} HTTP/1.1`,
    'Host: auth.example.test',
    `Authorization: Bearer ${token}`,
    'Connection: close',
    ...headers,
    '',
    '',
  ];
  return rawHttp(api.port, lines.join('\r\n'));
}

describe('a request reaches the service and its answer comes back', () => {
  test('whatever the method, with target, body and fields', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const body = method === 'GET' ? {} : { body: 'some text' };
      const answer = await site.go('/a%2fb/c?x=1&y=%20', { method, ...body, headers: { 'x-own': 'kept' } });
      expect(answer.status).toBe(200);
      expect(await asked(answer)).toMatchObject({
        method,
        target: '/a%2fb/c?x=1&y=%20',
        body: method === 'GET' ? '' : 'some text',
        headers: { 'x-own': 'kept' },
      });
    }
  });

  test('to HEAD with its length and without a body, to 204 with neither', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const whole = await (await site.go('/hello')).text();
    const head = await site.go('/hello', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(Math.abs(Number(head.headers.get('content-length')) - whole.length)).toBeLessThan(10);
    const empty = await site.go('/empty');
    expect([empty.status, await empty.text()]).toEqual([204, '']);
  });

  test('but not with a body behind GET or HEAD, which the runtime would drop', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    for (const method of ['GET', 'HEAD']) {
      for (const length of ['Content-Length: 3', 'Transfer-Encoding: chunked']) {
        const answer = await raw(site, `${method} /hello`, length);
        expect([method, length, answer.status]).toEqual([method, length, 400]);
        if (method === 'GET') expect(answer.body).toContain('"code":"malformed_request"');
      }
      expect((await raw(site, `${method} /hello`, 'Content-Length: 0')).status).toBe(200);
    }
  });

  test('where nothing stands behind the name of the service', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    for (const rest of ['', '/', '?x=1']) {
      expect((await asked(await site.go(rest))).target).toBe(rest.startsWith('/') ? rest : `/${rest}`);
    }
  });

  test('in many pieces, both ways, byte for byte', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const bytes = new Uint8Array(20_000_000).map((_, at) => at % 251);
    const up = await site.go('/hash', { method: 'POST', body: bytes });
    const sha256 = new Bun.CryptoHasher('sha256').update(bytes).digest('hex');
    expect(await up.json()).toEqual({ bytes: bytes.length, sha256 });
    const chunked = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 100_000)
          controller.enqueue(bytes.subarray(at, at + 100_000));
        controller.close();
      },
    });
    expect(await (await site.go('/hash', { method: 'PUT', body: chunked })).json()).toEqual({
      bytes: bytes.length,
      sha256,
    });
    const down = await site.go('/zeros?bytes=20000000');
    expect((await down.bytes()).length).toBe(20_000_000);
  });

  test('piece by piece as it is said: the first event does not wait for the last', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const answer = await site.go('/events');
    const reader = answer.body?.getReader();
    let text = '';
    while (!text.includes('data: 3')) text += Buffer.from((await reader?.read())?.value ?? []).toString();
    expect(text).toStartWith('data: 0\n\n');
    await reader?.cancel();
    await until('the service hears that nobody listens', () => site.service.ended.includes('events'));
    expect(site.api.hub.find(site.device.id)?.streamCount).toBe(0);
  });

  test('many at a time', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => site.go(`/n/${at}`)));
    const targets = await Promise.all(answers.map(async (answer) => (await asked(answer)).target));
    expect(targets).toEqual(Array.from({ length: 200 }, (_, at) => `/n/${at}`));
    await until('nothing is left open', () => site.api.hub.find(site.device.id)?.streamCount === 0);
  });

  test('at the device’s own host too', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const answer = await fetch(site.url('/api/v1/sessions?x=1'), { headers: site.hostHeaders() });
    const { target: path, headers } = await asked(answer);
    expect(path).toBe('/api/v1/sessions?x=1');
    expect(headers['host']).toBe(site.hostHeaders()['host'] ?? '');
    expect(headers['authorization']).toBeUndefined();
  });
});

describe('what the service is told', () => {
  test('holds nothing of ours, and nothing that a visitor says of itself', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const answer = await raw(
      site,
      'GET /x',
      'Cookie: __Host-postern=secret; theirs=1',
      'X-Forwarded-For: 1.2.3.4',
      'X-Forwarded-Host: evil.example',
      'X-Forwarded-Prefix: /evil',
      'Forwarded: for=1.2.3.4',
      'X-Real-IP: 1.2.3.4',
      'TE: trailers',
      'Keep-Alive: timeout=5',
      'Proxy-Authorization: Basic eA==',
      'Trailer: x',
      'X-Own: kept',
    );
    const { headers } = JSON.parse(answer.body) as Asked;
    expect(headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'auth.example.test',
      'x-forwarded-proto': 'https',
      'x-forwarded-prefix': `/d/${site.device.handle}/web`,
      'x-own': 'kept',
    });
    const gone = [
      'cookie',
      'authorization',
      'forwarded',
      'x-real-ip',
      'te',
      'proxy-authorization',
      'trailer',
    ];
    for (const name of [...gone, 'keep-alive']) expect(headers[name]).toBeUndefined();
  });

  test('nor what `Connection` names', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const answer = await raw(site, 'GET /x', 'Connection: close, X-Hop', 'X-Hop: 1', 'X-Own: 2');
    const { headers } = JSON.parse(answer.body) as Asked;
    expect([headers['x-hop'], headers['x-own']]).toEqual([undefined, '2']);
  });
});

describe('an answer on our own origin', () => {
  test('sets no cookie, is shown as nobody’s page, and leads nowhere else', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const { headers } = await site.go('/cookies');
    expect(headers.getSetCookie()).toEqual([]);
    expect(headers.get('content-security-policy')).toBe('sandbox');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('strict-transport-security')).toBeNull();
    expect(headers.get('location')).toBe(`/d/${site.device.handle}/web/elsewhere`);
  });

  test('and at the device’s own host keeps what is its own', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const { headers } = await fetch(site.url('/cookies'), {
      headers: site.hostHeaders(),
      redirect: 'manual',
    });
    expect(headers.getSetCookie()).toEqual(['theirs=1; Path=/']);
    expect(headers.get('content-security-policy')).toBe("default-src 'self'");
    expect(headers.get('location')).toBe('/elsewhere');
  });
});

describe('is refused', () => {
  test('without a token, with one for something else, and with a cookie alone', async () => {
    await using site = await tunnelSite();
    const { owner, device, token } = site;
    await using _agent = await site.dial();
    const path = `/d/${device.handle}/web/hello`;
    const ask = async (headers: Record<string, string>, at = path) =>
      codeOf(await fetch(site.url(at), { headers: { host: 'auth.example.test', ...headers } }));
    expect(await ask({})).toBe('401 token_required');
    expect(await ask({ cookie: `__Host-postern=${owner.token}` })).toBe('401 token_required');
    expect(await ask({ authorization: 'Bearer x' })).toBe('401 invalid_token');
    expect(await ask({ authorization: `Bearer ${device.token}` })).toBe('401 invalid_token');
    const authorization = `Bearer ${token}`;
    expect(await ask({ authorization }, `/d/${device.handle}/other/`)).toBe('401 invalid_token');
    expect(await ask({ authorization }, '/d/nobody/web/')).toBe('401 invalid_token');
    expect(await ask({ authorization }, `/d/${device.id}/web/hello`)).toBe('200 undefined');
    expect(site.service.asked).toHaveLength(1);
  });

  test.each([
    ['TRACE /x', [], 405],
    ['CONNECT /x', [], 405],
    ['GET /x', ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'], 400],
    ['GET /x', ['Upgrade: TLS/1.2'], 400],
    ['GET /x', ['HTTP2-Settings: AAMAAABkAAQAAP__'], 400],
  ] as const)('%s %j', async (line, headers, status) => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const answer = await raw(site, line, ...headers);
    expect([answer.status, site.service.asked.length]).toEqual([status, 0]);
  });

  test('another host, and an address in the request line', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const { api, device, token } = site;
    const send = (line: string, host: string) =>
      rawHttp(
        api.port,
        `${line}\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
      );
    const path = `/d/${device.handle}/web/x`;
    expect((await send(`GET ${path} HTTP/1.1`, 'evil.example')).status).toBe(421);
    // The name in an absolute form is dropped; the service hears of the host that we serve.
    const absolute = await send(`GET http://evil.example${path} HTTP/1.1`, 'auth.example.test');
    expect((JSON.parse(absolute.body) as Asked).headers['host']).toBe('auth.example.test');
  });
});

describe('where there is no answer', () => {
  const noService = { gone: target('http://127.0.0.1:1') };

  test('the agent’s reason is told', async () => {
    await using site = await tunnelSite(noService);
    await using _agent = await site.dial();
    const headers = { host: 'auth.example.test', authorization: `Bearer ${site.token}` };
    const at = async (service: string) =>
      codeOf(await fetch(site.url(`/d/${site.device.handle}/${service}/`), { headers }));
    expect(await at('gone')).toBe('502 service_unreachable');
    expect(await at('ssh')).toBe('404 unknown_service');
  });

  const refusing = (refused: RefusalCode) => (stream: TunnelStream) => {
    void stream.write(encodeAnswerHead({ refused }));
    stream.finish();
  };
  const answers: [name: string, serve: (stream: TunnelStream) => void, answer: string][] = [
    ['nothing', (stream) => stream.finish(), '502 device_failed'],
    ['a reset', (stream) => stream.reset(), '502 device_failed'],
    ['no head', (stream) => void stream.write(Buffer.from('HTTP/1.1 200 OK')), '502 device_failed'],
    [
      'less than announced',
      (stream) => {
        void stream.write(encodeAnswerHead({ status: 200, headers: [['content-length', '10']] }));
        void stream.write(Buffer.from('short'));
        stream.finish();
      },
      '502 device_failed',
    ],
    [
      'an agreement that nobody asked for',
      (stream) => void stream.write(encodeAnswerHead({ status: 101, headers: [] })),
      '502 device_failed',
    ],
    ['being busy', refusing('busy'), '503 device_busy'],
    ['a refusal of the request', refusing('bad_request'), '400 device_refused_request'],
    ['waiting for the service', refusing('service_timeout'), '504 service_timeout'],
    ['no answer of the service', refusing('service_failed'), '502 service_failed'],
  ];
  test.each(answers)('after %s', async (_name, serve, code) => {
    await using site = await tunnelSite();
    await using _agent = await site.dial({ onStream: serve });
    expect(await codeOf(await site.go('/x'))).toBe(code);
    await until('nothing is left open', () => site.api.hub.find(site.device.id)?.streamCount === 0);
  });

  test('a tunnel that ends meanwhile is told at once', async () => {
    await using site = await tunnelSite();
    const agent = await site.dial({ onStream: () => undefined });
    const waiting = site.go('/x');
    await until('it was asked', () => site.api.hub.find(site.device.id)?.streamCount === 1);
    await agent[Symbol.asyncDispose]();
    expect(await codeOf(await waiting)).toBe('503 device_offline');
  });

  test('a device that says nothing for too long is given up', async () => {
    await using site = await tunnelSite({}, { devices: { config: { heartbeat_timeout: 3_600_000 } } });
    await using _agent = await site.dial({ onStream: () => undefined });
    const waiting = site.go('/x');
    await until('it was asked', () => site.api.hub.find(site.device.id)?.streamCount === 1);
    for (let passed = 0; passed <= 120; passed += 20) {
      await site.clock.advance(20_000);
      site.api.hub.round();
    }
    expect(await codeOf(await waiting)).toBe('504 device_timeout');
  });
});

describe('half-way', () => {
  test('a visitor who leaves ends the request at the service', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    for (const path of ['/never', '/zeros?bytes=1000000000']) {
      const leaving = new AbortController();
      const answer = site.go(path, { signal: leaving.signal }).then((response) => response.bytes());
      const [name = ''] = path.slice(1).split('?');
      await until('it is under way', () => site.service.open.has(name));
      leaving.abort();
      expect(answer).rejects.toThrow();
      await until('the service hears of it', () => site.service.ended.includes(name));
    }
    await until('nothing is left open', () => site.api.hub.find(site.device.id)?.streamCount === 0);
  });

  test('a service that breaks off is not taken for one that has said everything', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const answer = await site.go('/broken');
    expect(answer.status).toBe(200);
    expect(answer.bytes()).rejects.toThrow();
  });

  test('a service that answers before it has heard everything ends the upload', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const answer = await site.go('/early', { method: 'POST', body: new Uint8Array(8_000_000) });
    expect([answer.status, await answer.text()]).toEqual([413, 'enough']);
    await until('nothing is left open', () => site.api.hub.find(site.device.id)?.streamCount === 0);
  });

  test('a visitor who stalls holds the service, and little memory', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const leaving = new AbortController();
    const answer = await site.go('/zeros?bytes=1000000000', { signal: leaving.signal });
    const reader = answer.body?.getReader();
    await reader?.read();
    const tunnel = site.api.hub.find(site.device.id);
    const received = () => tunnel?.streams[0]?.stream.stats.bytesIn ?? 0;
    await until('nothing moves any more', steady(received));
    expect(tunnel?.bufferedBytes).toBeLessThan(16 << 20);
    expect(received()).toBeLessThan(64 << 20);
    leaving.abort();
    await until('nothing is left open', () => tunnel?.streamCount === 0);
  });
});

test('as many streams as there may be, and no more', async () => {
  await using site = await tunnelSite({}, { devices: { config: { streams_per_tunnel: 2 } } });
  await using _agent = await site.dial();
  const leaving = new AbortController();
  const held = [1, 2].map(() => site.go('/never', { signal: leaving.signal }).catch(() => undefined));
  await until('they are open', () => site.api.hub.find(site.device.id)?.streamCount === 2);
  const refused = await site.go('/x');
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(await codeOf(refused)).toBe('503 device_busy');
  leaving.abort();
  await Promise.all(held);
  await until('there is room again', () => site.api.hub.find(site.device.id)?.streamCount === 0);
  expect((await site.go('/x')).status).toBe(200);
  await connected(site.api, site.device);
});

test('as many streams in a second as there may be, and no more', async () => {
  await using site = await tunnelSite({}, { devices: { config: { opens_per_second: 3 } } });
  await using _agent = await site.dial();
  const outcomes = async (count: number) => {
    const answers = await Promise.all(Array.from({ length: count }, () => site.go('/empty')));
    return answers.map(({ status }) => status).toSorted((a, b) => a - b);
  };
  expect(await outcomes(5)).toEqual([204, 204, 204, 503, 503]);
  await site.clock.advance(1_000);
  expect(await outcomes(4)).toEqual([204, 204, 204, 503]);
});
