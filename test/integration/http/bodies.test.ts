import { afterAll, describe, expect, test } from 'bun:test';
import { readForm } from '../../../src/http/form.ts';
import { readJson } from '../../../src/http/json-body.ts';
import { newRoutes, SERVED_HOST, temporaryServer } from '../../support/http-server.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';

const MAX_BYTES = 1_000;
const HOST = `Host: ${SERVED_HOST}`;
const FORM = 'Content-Type: application/x-www-form-urlencoded';
const JSON_TYPE = 'Content-Type: application/json';

const server = temporaryServer(
  (router) =>
    router.use(
      newRoutes()
        .post('/form', async ({ request }) =>
          Response.json(Object.fromEntries(await readForm(request, MAX_BYTES))),
        )
        .post('/json', async ({ request }) => Response.json(await readJson(request, MAX_BYTES)))
        .post('/deaf', () => new Response('not read')),
    ),
  { limits: { maxBodyBytes: MAX_BYTES, headTimeoutMs: 10_000, drainTimeoutMs: 10_000 } },
);
afterAll(() => server[Symbol.asyncDispose]());

const post = (path: string, type: string, body: string, ...headers: string[]) =>
  rawHttp(
    server.port,
    rawHead(`POST ${path} HTTP/1.1`, HOST, type, `Content-Length: ${body.length}`, ...headers) + body,
  );
const chunked = (path: string, type: string, body: string) =>
  rawHttp(
    server.port,
    `${rawHead(`POST ${path} HTTP/1.1`, HOST, type, 'Transfer-Encoding: chunked')}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  );

describe('a body', () => {
  test('arrives, announced or in chunks', async () => {
    expect((await post('/form', FORM, 'a=1')).body).toBe('{"a":"1"}');
    expect((await chunked('/form', FORM, 'a=1')).body).toBe('{"a":"1"}');
    expect((await post('/json', JSON_TYPE, '{"a":[1]}')).body).toBe('{"a":[1]}');
  });

  test.each([MAX_BYTES + 1, 3 * MAX_BYTES, 100 * MAX_BYTES])('of %p bytes is too large', async (length) => {
    const body = 'a='.padEnd(length, 'x');
    for (const answer of [await post('/form', FORM, body), await chunked('/form', FORM, body)]) {
      expect(answer.status).toBe(413);
    }
  });

  test('of exactly the limit is not', async () => {
    expect((await post('/form', FORM, 'a='.padEnd(MAX_BYTES, 'x'))).status).toBe(200);
  });

  test('too large is refused where nobody would read it, too', async () => {
    expect((await post('/deaf', FORM, 'x'.repeat(MAX_BYTES + 1))).status).toBe(413);
    expect((await post('/nowhere', FORM, 'x'.repeat(MAX_BYTES + 1))).status).toBe(413);
  });

  test.each([
    ['/form', JSON_TYPE],
    ['/form', 'Content-Type: multipart/form-data; boundary=x'],
    ['/json', FORM],
    ['/json', 'Content-Type: text/plain'],
    ['/json', 'X-Nothing: at-all'],
  ])('for %s of another type gets 415 (%s)', async (path, type) => {
    const answer = await post(path, type, '{"a":1}');
    expect(answer.status).toBe(415);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'unsupported_media_type' });
  });

  test.each(['{', '{"a":}', '[1,]', 'NaN', '\xff\xfe', ''])('that is no JSON gets 400: %p', async (body) => {
    const answer = await post('/json', JSON_TYPE, body);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'malformed_json' });
  });

  test.each(['a=1&a=2', 'a=%zz'])('that is no form gets 400: %p', async (body) => {
    expect((await post('/form', FORM, body)).status).toBe(400);
  });

  test('that breaks off changes nothing for others, and is no failure of ours', async () => {
    server.log.lines.length = 0;
    const head = rawHead('POST /form HTTP/1.1', HOST, FORM, 'Transfer-Encoding: chunked');
    await rawHttp(server.port, `${head}5\r\na=123\r\nzz\r\n`);
    expect((await post('/form', FORM, 'a=1')).status).toBe(200);
    expect(server.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
