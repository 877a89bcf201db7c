/** The head of an answer, as a service sent it. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly isHttp11: boolean;
}

/** The service speaks no HTTP/1.1, or speaks it in a way that could be read in two. */
export class AnswerMalformed extends Error {
  override readonly name = 'AnswerMalformed';
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Anything visible, blanks between, and what older servers send beyond ASCII (RFC 9110 section 5.5). */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const MAX_FIELDS = 256;

/** Reads a head without its last empty line (RFC 9112 sections 4 and 5). @throws AnswerMalformed */
export function readAnswerHead(text: string): AnswerHead {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const [, minor, status] = STATUS_LINE.exec(statusLine) ?? [];
  if (minor === undefined || lines.length > MAX_FIELDS) throw new AnswerMalformed('malformed head');
  return { status: Number(status), isHttp11: minor === '1', headers: lines.map(fieldOf) };
}

function fieldOf(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon);
  const value = line.slice(colon + 1).trim();
  if (colon === -1 || !TOKEN.test(name) || !VALUE.test(value)) throw new AnswerMalformed('malformed field');
  return [name, value];
}

/** How the end of a body is found (RFC 9112 section 6.3): a length in bytes, or how it shows itself. */
export type BodyFraming = number | 'chunked' | 'until_close';

/** @throws AnswerMalformed where lengths disagree, or the coding is none that we know. */
export function framingOf({ status, headers }: AnswerHead, method: string): BodyFraming {
  if (method === 'HEAD' || status === 204 || status === 304) return 0;
  const coding = valuesOf(headers, 'transfer-encoding').join(',').trim().toLowerCase();
  if (coding === 'chunked') return 'chunked';
  if (coding !== '') throw new AnswerMalformed('transfer coding');
  const lengths = new Set(
    valuesOf(headers, 'content-length').flatMap((each) => each.split(',').map((one) => one.trim())),
  );
  const [length, ...others] = lengths;
  if (length === undefined) return 'until_close';
  if (others.length > 0 || !/^\d{1,15}$/.test(length)) throw new AnswerMalformed('length');
  return Number(length);
}

/** Whether the connection can be used again after this answer (RFC 9112 section 9.3). */
export function keepsAlive({ headers, isHttp11 }: AnswerHead): boolean {
  const options = valuesOf(headers, 'connection').join(',').toLowerCase();
  if (/(?:^|[\s,])close(?:$|[\s,])/.test(options)) return false;
  return isHttp11 || /(?:^|[\s,])keep-alive(?:$|[\s,])/.test(options);
}

function valuesOf(headers: AnswerHead['headers'], name: string): string[] {
  return headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
}
