import { AppError } from '../lib/app-error.ts';
import { readBody } from './body.ts';

const FORM_TYPE = 'application/x-www-form-urlencoded';

/**
 * The fields of a posted form.
 * @throws AppError `unsupported_media_type`, `payload_too_large`, or `bad_request`: `duplicate_parameter` when a field
 * came twice, `malformed_form` when the bytes are no such form.
 */
export async function readForm(request: Request, maxBytes: number): Promise<URLSearchParams> {
  if (mediaType(request) !== FORM_TYPE) {
    throw new AppError('unsupported_media_type', 'unsupported_media_type', `This takes ${FORM_TYPE}.`);
  }
  return parseForm(decodeUtf8(await readBody(request, maxBytes)));
}

/** One parameter of a query or a form. @throws AppError `bad_request` (`duplicate_parameter`) when it came twice. */
export function singleParam(params: URLSearchParams, name: string): string | undefined {
  const values = params.getAll(name);
  if (values.length > 1) throw duplicateParameter();
  return values[0];
}

/** The media type alone, lower case; empty when none was sent. */
export function mediaType(request: Request): string {
  const [type = ''] = (request.headers.get('content-type') ?? '').split(';');
  return type.trim().toLowerCase();
}

function parseForm(text: string): URLSearchParams {
  for (const part of text.split(/[&=]/)) requireDecodable(part);
  const params = new URLSearchParams(text);
  if (new Set(params.keys()).size !== params.size) throw duplicateParameter();
  return params;
}

/** `URLSearchParams` takes broken escapes as they are; two readers of one form would then differ. */
function requireDecodable(part: string): void {
  try {
    decodeURIComponent(part);
  } catch {
    throw malformedForm();
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformedForm();
  }
}

const malformedForm = () => new AppError('bad_request', 'malformed_form', 'The form is malformed.');
const duplicateParameter = () =>
  new AppError('bad_request', 'duplicate_parameter', 'A parameter was sent twice.');
