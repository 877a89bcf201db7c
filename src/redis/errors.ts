import { AppError } from '../lib/app-error.ts';
import { CommandError } from '../lib/command-error.ts';

/** What Redis, the network and TLS say, in words for the operator. The first that fits counts. */
const REASONS: readonly (readonly [what: RegExp, reason: string])[] = [
  [/No such master/, 'its sentinels know no primary of that name (redis.sentinel_name)'],
  [
    /All sentinels are unreachable.*(?:WRONGPASS|NOAUTH)/s,
    'its sentinels refuse the user or the password (redis.sentinel_username, redis.sentinel_password)',
  ],
  [/All sentinels are unreachable/, 'none of its sentinels answers (redis.sentinels)'],
  [
    /^WRONGPASS|^ERR invalid password/,
    'it refuses the user or the password (redis.username, redis.password)',
  ],
  [/^NOAUTH/, 'it wants a password (redis.password)'],
  [/DB index is out of range|invalid DB index/, 'it has no database of that number (redis.url)'],
  [/READONLY|^UNBLOCKED/, 'it is a replica, which takes no writes'],
  [/\bLOADING\b/, 'it is still reading what it keeps'],
  [/\bOOM\b/, 'its memory is full (maxmemory)'],
  [/\bMISCONF\b/, 'it cannot write to its disk and takes no writes'],
  [/^MASTERDOWN/, 'it is a replica that has lost its primary'],
  [/ECONNREFUSED/, 'nothing listens there'],
  [/ENOTFOUND|EAI_AGAIN|EAI_NONAME|getaddrinfo/, 'its name is not known'],
  [/EHOSTUNREACH|ENETUNREACH/, 'there is no way to it'],
  [/CERT_HAS_EXPIRED|certificate has expired/, 'its certificate has expired'],
  [
    /ALTNAME|altnames|Hostname\/IP/,
    'its certificate is for another name than the one that is dialled (redis.tls.server_name)',
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)|self[- ]signed|unable to (?:verify|get)/i,
    'no authority that is known here has signed its certificate (redis.tls.ca)',
  ],
  [
    /ERR_SSL|ERR_TLS|SSL routines|EPROTO|TLSV1|secure TLS connection/i,
    'TLS could not be agreed on; it must speak TLS 1.2 or newer at this port',
  ],
  [/ETIMEDOUT|timed out|Socket timeout/i, 'it does not answer in time'],
  [
    /Invalid CA|PEM|bad (?:end line|base64)|KEY_VALUES_MISMATCH/i,
    'the files of redis.tls are not what they should be',
  ],
  [/ECONNRESET|EPIPE|Connection is closed|socket hang up|disconnected/i, 'it closes the connection'],
  [/isn't writeable/, 'it is not connected'],
];

/** A command that Redis refuses is quoted by it, arguments included. */
const QUOTED = /,? with args beginning with:?.*/s;
const MAX_REASON = 160;

/** Why Redis could not do it, fit for logs and terminals: nothing of what was sent is in it. */
export function redisReason(error: unknown): string {
  if (error instanceof CommandError) return error.message;
  const { code = '', message = '' } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  const noPermission = /^NOPERM .*?(?:command|key|channel|pattern)s?\b/i.exec(message);
  if (noPermission !== null)
    return `its user may not do what is needed (${noPermission[0].slice(0, MAX_REASON)})`;
  const said = `${message} ${code}`;
  const known = REASONS.find(([what]) => what.test(message) || what.test(said));
  if (known !== undefined) return known[1];
  const text = message.replace(QUOTED, '').split(/[\r\n]/)[0] ?? '';
  return text === '' ? 'it failed without a word' : `it says: ${text.slice(0, MAX_REASON)}`;
}

const RETRY_AFTER_SECONDS = 2;

/**
 * What a caller hears when Redis could not be asked. An `AppError` is handed on as it is. The cause is the reason alone:
 * what the client throws holds the command with its arguments.
 */
export function redisOutage(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError('unavailable', 'store_unavailable', 'Sessions cannot be looked up right now.', {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    cause: new Error(`Redis: ${redisReason(error)}`),
  });
}

/** Which of a few kinds it is, for a metric. */
export function failureKind(error: unknown): 'timeout' | 'connection' | 'refused' {
  const { name = '', message = '' } = error instanceof Error ? error : {};
  if (message === 'Command timed out') return 'timeout';
  return name === 'ReplyError' ? 'refused' : 'connection';
}
