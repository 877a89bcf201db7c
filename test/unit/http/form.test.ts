import { describe, expect, test } from 'bun:test';
import { readForm, singleParam } from '../../../src/http/form.ts';

const FORM = 'application/x-www-form-urlencoded';
const post = (body: Bun.BodyInit, type: string | null = FORM) =>
  new Request('https://a.example/', {
    method: 'POST',
    body,
    headers: type === null ? {} : { 'content-type': type },
  });
const refused = (reading: Promise<unknown>) => reading.catch((error: unknown) => error);
const refusal = (code: string) => expect.objectContaining({ name: 'AppError', code });

describe('a form', () => {
  test('gives its fields', async () => {
    const form = await readForm(post('name=Ann+B&secret=%26%3D'), 100);
    expect(singleParam(form, 'name')).toBe('Ann B');
    expect(singleParam(form, 'secret')).toBe('&=');
    expect(singleParam(form, 'absent')).toBeUndefined();
  });

  test.each([`${FORM}; charset=utf-8`, FORM.toUpperCase()])('is also of the type %p', async (type) => {
    expect(singleParam(await readForm(post('a=1', type), 100), 'a')).toBe('1');
  });

  test.each(['application/json', 'multipart/form-data; boundary=x', 'text/plain', `${FORM}x`, null])(
    'is nothing of the type %p',
    async (type) => {
      const body = new TextEncoder().encode('a=1');
      expect(await refused(readForm(post(body, type), 100))).toEqual(refusal('unsupported_media_type'));
    },
  );

  test('over the limit is refused, whether it says so or not', async () => {
    expect(await refused(readForm(post('a='.padEnd(101, 'x')), 100))).toEqual(refusal('body_too_large'));
    const stream = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(60));
      },
    });
    expect(await refused(readForm(post(stream), 100))).toEqual(refusal('body_too_large'));
    expect((await readForm(post('a='.padEnd(100, 'x')), 100)).get('a')).toHaveLength(98);
  });

  test.each(['a=1&a=2', 'a=1&a=1', 'a&a', 'a=1&%61=2'])('with a field twice is refused: %p', async (body) => {
    expect(await refused(readForm(post(body), 100))).toEqual(refusal('duplicate_parameter'));
  });

  test.each(['a=%', 'a=%zz', '%e4=1', 'a=%ff'])('with broken escapes is refused: %p', async (body) => {
    expect(await refused(readForm(post(body), 100))).toEqual(refusal('malformed_form'));
  });

  test('that is not UTF-8 is refused', async () => {
    expect(await refused(readForm(post(Uint8Array.of(0x61, 0x3d, 0xff)), 100))).toEqual(
      refusal('malformed_form'),
    );
  });

  test('without a body has no fields', async () => {
    expect((await readForm(post(''), 100)).size).toBe(0);
  });
});

test('a parameter of a query that came twice is refused', () => {
  expect(() => singleParam(new URLSearchParams('a=1&a=2'), 'a')).toThrow(refusal('duplicate_parameter'));
});
