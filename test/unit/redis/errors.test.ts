import { describe, expect, test } from 'bun:test';
import { AppError } from '../../../src/lib/app-error.ts';
import { failureKind, redisOutage, redisReason } from '../../../src/redis/errors.ts';

const coded = (code: string, message = code) => Object.assign(new Error(message), { code });

describe('why Redis could not do it', () => {
  test.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', 'it refuses the user or the password'],
    ['NOAUTH Authentication required.', 'it wants a password'],
    ['ERR DB index is out of range', 'it has no database of that number'],
    ["READONLY You can't write against a read only replica.", 'it is a replica'],
    ['LOADING Redis is loading the dataset in memory', 'it is still reading'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'its memory is full'],
    ['MISCONF Redis is configured to save RDB snapshots', 'it cannot write to its disk'],
    ['Command timed out', 'it does not answer in time'],
    ['Connection is closed.', 'it closes the connection'],
    ["Stream isn't writeable and enableOfflineQueue options is false", 'it is not connected'],
    [
      "NOPERM this user has no permissions to run the 'xadd' command",
      "its user may not do what is needed (NOPERM this user has no permissions to run the 'xadd' command)",
    ],
    ['', 'it failed without a word'],
  ])('%s', (message, reason) => {
    expect(redisReason(new Error(message))).toStartWith(reason);
  });

  test.each([
    ['ECONNREFUSED', 'nothing listens there'],
    ['ENOTFOUND', 'its name is not known'],
    ['EHOSTUNREACH', 'there is no way to it'],
    ['ETIMEDOUT', 'it does not answer in time'],
    ['ECONNRESET', 'it closes the connection'],
    ['CERT_HAS_EXPIRED', 'its certificate has expired'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'no authority that is known here'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name'],
    ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'TLS could not be agreed on'],
  ])('%s', (code, reason) => {
    expect(redisReason(coded(code, 'it went wrong'))).toStartWith(reason);
  });

  test('quotes nothing of a command that was refused', () => {
    const said = redisReason(new Error('ERR unknown command `X`, with args beginning with: `hush`, `hush`'));
    expect(said).toBe('it says: ERR unknown command `X`');
  });

  test('is cut to one short line', () => {
    expect(redisReason(new Error(`ERR ${'x'.repeat(500)}\nhush`)).length).toBeLessThan(200);
    expect(redisReason('no error at all')).toBe('it failed without a word');
  });
});

describe('an outage', () => {
  test('is 503 with Retry-After, and holds nothing that was sent', () => {
    const refused = Object.assign(new Error('ERR wrong'), { command: { name: 'auth', args: ['hush'] } });
    const outage = redisOutage(refused);
    expect([outage.kind, outage.code, outage.retryAfterSeconds]).toEqual([
      'unavailable',
      'store_unavailable',
      2,
    ]);
    expect(Bun.inspect(outage)).not.toContain('hush');
  });

  test('that is one already is handed on', () => {
    const error = new AppError('unavailable', 'clock_behind', 'Later.');
    expect(redisOutage(error)).toBe(error);
  });
});

test('failures are of few kinds', () => {
  const reply = Object.assign(new Error('ERR no'), { name: 'ReplyError' });
  expect([new Error('Command timed out'), reply, coded('ECONNRESET')].map(failureKind)).toEqual([
    'timeout',
    'refused',
    'connection',
  ]);
});
