import { expect, test } from 'bun:test';
import { z } from 'zod';
import { mountApi } from '../../../src/http/api-mount.ts';
import { apiRoute } from '../../../src/http/api-route.ts';
import { AppError } from '../../../src/lib/app-error.ts';
import { SERVED_HOST, temporaryServer } from '../../support/http-server.ts';

const thing = z
  .strictObject({
    name: z.string({ error: 'a text' }).max(10, { error: 'at most 10 characters' }),
    tags: z.array(z.string({ error: 'a text' })).default([]),
  })
  .meta({ id: 'Thing' });

/** Two routes of one path: `known` may call them, and what each was called with is kept. */
function things() {
  const calls: unknown[] = [];
  const access = {
    scope: 'sessions:read',
    async authenticate(request: Request) {
      if (request.headers.get('x-caller') === 'known') return { name: 'known' };
      throw new AppError('unauthorized', 'not_signed_in', 'Sign in first.');
    },
  };
  const params = z.strictObject({ id: z.string().regex(/^[a-z]{3}$/) });
  const shared = { path: '/api/v1/things/{id}', tag: 'Things', summary: 'x', access, params } as const;
  const routes = [
    apiRoute({
      ...shared,
      method: 'GET',
      operationId: 'getThing',
      query: z.strictObject({ full: z.enum(['yes', 'no']).default('no') }),
      answer: { status: 200, description: 'x', schema: thing },
      handle({ params: { id }, query, caller }) {
        calls.push({ id, query, caller });
        return { name: id, tags: [] };
      },
    }),
    apiRoute({
      ...shared,
      method: 'POST',
      operationId: 'changeThing',
      body: thing,
      answer: { status: 204, description: 'x' },
      handle({ body }) {
        calls.push(body);
        return undefined;
      },
    }),
  ];
  const server = temporaryServer(
    (router) =>
      mountApi(router, { routes, maxBodyBytes: 1_000, origin: 'https://x', cookie: 'c', version: '1' }),
    { limits: { maxBodyBytes: 1_000, headTimeoutMs: 10_000, drainTimeoutMs: 1_000 } },
  );
  const call = (
    path: string,
    init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
  ) =>
    fetch(`http://127.0.0.1:${server.port}${path}`, {
      ...init,
      headers: { host: SERVED_HOST, 'x-caller': 'known', ...init.headers },
    });
  const post = (body: RequestInit['body'], contentType?: string) =>
    call('/api/v1/things/abc', {
      method: 'POST',
      body: body ?? null,
      ...(contentType !== undefined && { headers: { 'content-type': contentType } }),
    });
  return { calls, call, post, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function refusal(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return (await response.json()) as { code: string; detail: string; status: number; request_id: string };
}

test('a handler gets what its schemas made of the request, and answers an object or nothing', async () => {
  await using api = things();
  const got = await api.call('/api/v1/things/abc?full=yes');
  expect(got.headers.get('cache-control')).toBe('no-store');
  expect(await got.json()).toEqual({ name: 'abc', tags: [] });
  const posted = await api.post('{"name":"x"}', 'Application/JSON; charset=utf-8');
  expect(posted.status).toBe(204);
  expect(await posted.text()).toBe('');
  expect(api.calls).toEqual([
    { id: 'abc', query: { full: 'yes' }, caller: { name: 'known' } },
    { name: 'x', tags: [] },
  ]);
});

test('a stranger learns of nothing but that they are one', async () => {
  await using api = things();
  const stranger = { 'x-caller': 'nobody' };
  const asks = [
    api.call('/api/v1/things/abc', { headers: stranger }),
    api.call('/api/v1/things/nonsense', { headers: stranger }),
    api.call('/api/v1/things/abc?nonsense', { headers: stranger }),
    api.call('/api/v1/things/abc', {
      method: 'POST',
      body: '{',
      headers: { ...stranger, 'content-type': 'x/y' },
    }),
  ];
  for (const response of await Promise.all(asks)) {
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect((await refusal(response)).code).toBe('not_signed_in');
  }
});

test('a body of another type, one that is no JSON, and one that does not fit are told apart', async () => {
  await using api = things();
  const json = 'application/json';
  const cases: [Parameters<typeof api.post>, number, string][] = [
    [['{"name":"x"}', 'text/plain'], 415, 'unsupported_media_type'],
    [['name=x', 'application/x-www-form-urlencoded'], 415, 'unsupported_media_type'],
    [['{"name":"x"}', 'application/jsonp'], 415, 'unsupported_media_type'],
    [['{"name":', json], 400, 'malformed_json'],
    [['', json], 400, 'malformed_json'],
    [[new Uint8Array([0x22, 0xff, 0x22]), json], 400, 'malformed_json'],
    [['['.repeat(900), json], 400, 'malformed_json'],
    [['{"name":1}', json], 422, 'invalid_body'],
    [['{"__proto__":{"name":"x"}}', json], 422, 'invalid_body'],
    [['{"name":"x","constructor":1}', json], 422, 'invalid_body'],
    [['null', json], 422, 'invalid_body'],
  ];
  for (const [sent, status, code] of cases) {
    const response = await api.post(...sent);
    expect([sent[0], response.status, (await refusal(response)).code]).toEqual([sent[0], status, code]);
  }
  expect(api.calls).toEqual([]);
});

test('a body over the limit is refused, announced or not', async () => {
  await using api = things();
  const large = JSON.stringify({ name: 'x'.repeat(1_200) });
  expect((await api.post(large, 'application/json')).status).toBe(413);
  const chunks = new ReadableStream({
    start(controller) {
      for (const part of large.match(/.{1,100}/g) ?? []) controller.enqueue(new TextEncoder().encode(part));
      controller.close();
    },
  });
  expect((await api.post(chunks, 'application/json')).status).toBe(413);
  expect(api.calls).toEqual([]);
});

test('a refusal names places and expectations, and repeats nothing', async () => {
  await using api = things();
  const sent = { name: 'SECRETSECRET', tags: ['x', 7], HIDDEN: 'SECRET' };
  const { detail } = await refusal(await api.post(JSON.stringify(sent), 'application/json'));
  expect(detail).toBe(
    'The body does not fit: name: at most 10 characters; tags.1: a text; it has a key that is not known here.',
  );
  const many = { name: 'x', tags: Array.from({ length: 50 }, () => 0) };
  expect((await refusal(await api.post(JSON.stringify(many), 'application/json'))).detail).toEndWith(
    'and 45 more.',
  );
});

test('what a path cannot name is not there', async () => {
  await using api = things();
  for (const id of ['abcd', 'ABC', 'a%2Fb', '..%2f', '%00', 'ab%63%64']) {
    expect([id, (await api.call(`/api/v1/things/${id}`)).status]).toEqual([id, 404]);
  }
  expect((await api.call('/api/v1/things/abc/')).status).toBe(404);
  expect((await api.call('/api/v1/things/%E0%A4')).status).toBeOneOf([400, 404]);
  expect(api.calls).toEqual([]);
});

test('a query is strict, and each parameter comes once', async () => {
  await using api = things();
  const codes = { '?full=maybe': 422, '?other=1': 422, '?full=yes&full=yes': 400, '?a&a': 400 };
  for (const [query, status] of Object.entries(codes)) {
    const response = await api.call(`/api/v1/things/abc${query}`);
    expect([query, response.status]).toEqual([query, status]);
    expect(await response.text()).not.toContain('maybe');
  }
});

test('another method of a path is refused with those it has; HEAD is GET without its body', async () => {
  await using api = things();
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    const response = await api.call('/api/v1/things/abc', { method });
    expect(response.headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'HEAD', 'POST']);
    expect((await refusal(response)).code).toBe('method_not_allowed');
  }
  const head = await api.call('/api/v1/things/abc', { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
});
