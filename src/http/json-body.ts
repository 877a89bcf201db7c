import { AppError } from '../lib/app-error.ts';
import { readBody } from './body.ts';
import { mediaType } from './form.ts';

const JSON_TYPE = 'application/json';

/**
 * The value in a JSON body (RFC 8259), not yet validated.
 * @throws AppError `unsupported_media_type`, `payload_too_large`, or `bad_request` (`malformed_json`).
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  if (mediaType(request) !== JSON_TYPE) {
    throw new AppError('unsupported_media_type', 'unsupported_media_type', `This takes ${JSON_TYPE}.`);
  }
  const bytes = await readBody(request, maxBytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new AppError('bad_request', 'malformed_json', 'The body is not JSON.');
  }
}
