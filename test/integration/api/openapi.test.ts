import { expect, test } from 'bun:test';
import { lazyOpenApi } from '../../../src/http/openapi.ts';
import { TEST_COOKIE, temporaryApi } from '../../support/api.ts';
import { apiContract, type OpenApiDocument } from '../../support/api-contract.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';

async function fetchDocument(): Promise<{ text: string; document: OpenApiDocument; registered: string[] }> {
  await using api = temporaryApi();
  const response = await api.call('/openapi.json');
  expect(response.headers.get('content-type')).toBe('application/json');
  const text = await response.text();
  const registered = api.router.routes
    .filter(({ path, method }) => path.startsWith('/api/v1/') && method !== 'HEAD')
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  return { text, document: JSON.parse(text), registered };
}

/** Every object of a document that has this key. */
function valuesOf(node: unknown, key: string): unknown[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([name, value]) => [
    ...(name === key ? [value] : []),
    ...valuesOf(value, key),
  ]);
}

test('every route of /api/v1 is described, and every route that is described exists', async () => {
  const { document, registered } = await fetchDocument();
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(registered.length).toBeGreaterThan(15);
  expect(described.sort()).toEqual(registered.sort());
});

test('the document is sound: version, server, unique operations, references and parameters', async () => {
  const { document, text } = await fetchDocument();
  expect(document).toMatchObject({
    openapi: '3.1.0',
    info: { version: '1.2.3' },
    servers: [{ url: TEST_ORIGIN }],
  });
  const ids = valuesOf(document.paths, 'operationId');
  expect(new Set(ids).size).toBe(ids.length);
  for (const reference of valuesOf(document, '$ref')) {
    const name = String(reference).replace('#/components/schemas/', '');
    expect(Object.keys(document.components.schemas)).toContain(name);
  }
  expect(text).not.toContain('$defs');
  expect(text).not.toContain('$schema');
  for (const [path, operations] of Object.entries(document.paths)) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const operation of Object.values(operations)) {
      const parameters = (valuesOf({ operation }, 'parameters')[0] ?? []) as { name: string; in: string }[];
      expect(parameters.filter((each) => each.in === 'path').map(({ name }) => name)).toEqual(
        named as string[],
      );
    }
  }
});

test('every operation names who may call it and how it refuses', async () => {
  const { document } = await fetchDocument();
  expect(document.components.securitySchemes).toMatchObject({
    browserSession: { type: 'apiKey', in: 'cookie', name: TEST_COOKIE },
    personalToken: { type: 'http', scheme: 'bearer' },
  });
  const [createToken] = valuesOf(document.paths['/api/v1/tokens'], 'post');
  expect(createToken).toMatchObject({ security: [{ browserSession: [] }] });
  const [listSessions] = valuesOf(document.paths['/api/v1/sessions'], 'get');
  expect(listSessions).toMatchObject({
    security: [{ browserSession: [] }, { personalToken: ['sessions:read'] }],
  });
  for (const operations of Object.values(document.paths)) {
    for (const { responses } of Object.values(operations)) {
      for (const status of ['400', '401', '503']) {
        expect(responses[status]?.content?.['application/problem+json']?.schema).toEqual({
          $ref: '#/components/schemas/Problem',
        });
      }
    }
  }
});

test('it says nothing of what is kept secret, and is for everybody', async () => {
  await using api = temporaryApi();
  expect((await api.call('/openapi.json')).status).toBe(200);
  expect((await api.call('/openapi.json', { method: 'HEAD' })).status).toBe(200);
  const refused = await api.call('/openapi.json', { method: 'POST', body: '{}' });
  expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'HEAD, GET']);
});

test('it is made once, and only when somebody asks', () => {
  let reads = 0;
  const text = lazyOpenApi({
    get routes() {
      reads++;
      return [];
    },
    origin: TEST_ORIGIN,
    cookie: TEST_COOKIE,
    version: '1',
  });
  expect(reads).toBe(0);
  expect(text()).toBe(text());
  expect(reads).toBe(1);
});

test('an answer that is not described is noticed: a status, a code, a key, a type', async () => {
  const { document } = await fetchDocument();
  const check = apiContract(document);
  const ended = (body: unknown, init?: ResponseInit) =>
    check('DELETE', '/api/v1/sessions?keep=current', Response.json(body, init));
  const problem = (code: string) =>
    ended(
      { type: 'about:blank', title: 'x', status: 401, detail: 'x', code, request_id: 'x' },
      { status: 401, headers: { 'content-type': 'application/problem+json' } },
    );
  await ended({ ended: 3 });
  await problem('invalid_token');
  expect(ended({ ended: '3' })).rejects.toThrow('endSessions answered 200');
  expect(ended({ ended: 3, more: true })).rejects.toThrow('endSessions answered 200');
  expect(ended({ ended: 3 }, { status: 202 })).rejects.toThrow('not described');
  expect(ended({ ended: 3 }, { headers: { 'content-type': 'text/plain' } })).rejects.toThrow('text/plain');
  expect(problem('no_such_code')).rejects.toThrow('no_such_code');
});
