import { describe, expect, test } from 'bun:test';
import { problemResponse, statusOf } from '../../../src/http/problem.ts';
import { AppError } from '../../../src/lib/app-error.ts';

describe('a problem', () => {
  test('says what went wrong and which request it was', async () => {
    const response = problemResponse(new AppError('conflict', 'taken', 'This is taken.'), { id: 'req_1' });
    expect(response.status).toBe(409);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toEqual({
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      detail: 'This is taken.',
      code: 'taken',
      request_id: 'req_1',
    });
  });

  test('says when to come back', () => {
    const error = new AppError('unavailable', 'busy', 'Busy.', { retryAfterSeconds: 5 });
    expect(problemResponse(error, { id: 'req_1' }).headers.get('retry-after')).toBe('5');
  });

  test('says how to authenticate', () => {
    const response = problemResponse(new AppError('unauthorized', 'no', 'No.'), { id: 'req_1' });
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
  });

  test('tells nothing of a bug', async () => {
    const response = problemResponse(new Error('password hunter2'), { id: 'req_1' });
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).not.toContain('hunter2');
    expect(text).toContain('req_1');
  });

  test('has a status of its own for each kind', () => {
    expect(statusOf('misdirected')).toBe(421);
    expect(statusOf('header_fields_too_large')).toBe(431);
    expect(statusOf('unavailable')).toBe(503);
  });
});
